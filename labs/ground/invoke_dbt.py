"""Run commands of dbt one after the other, in dbt's own environment: the first argument lists them, as JSON.

The last line of the output says how the nodes of each command ended.
"""

import json
import sys

from dbt.cli.main import dbtRunner


def main() -> None:
    ended = []
    for command in json.loads(sys.argv[1]):
        done = dbtRunner().invoke(command)
        if done.exception is not None:
            raise SystemExit(f"dbt {command}: {done.exception}")
        nodes = getattr(done.result, "results", None) or ()
        if command[0] == "ls":
            ended.append({name.rpartition(".")[2]: "listed" for name in done.result})
        else:
            ended.append({_name(each.node): str(each.status) for each in nodes})
    print("\n" + json.dumps(ended))


def _name(node: object) -> str:
    # That of a test of the data is long and hashed.
    return str(getattr(node, "name", node))


if __name__ == "__main__":
    main()
