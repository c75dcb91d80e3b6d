"""``python -m labs.distributed``: two DAGs on two Celery workers share a quota, and one worker is killed."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from labs.ground.command import run_command

if TYPE_CHECKING:
    from rich.console import Console


def main(arguments: list[str] | None = None) -> int:
    """Run the proof.

    :return: the exit status: 0, 1 if something was not as promised, 128 and the signal's number after an
        interruption.
    """
    parser = argparse.ArgumentParser(prog="python -m labs.distributed", description=__doc__)
    parser.add_argument("--images", type=int, default=4000, help="how many, over both DAGs (%(default)s)")
    options = parser.parse_args(arguments)

    def prove(console: Console) -> None:
        from labs.distributed.run import ProofOptions, run_proof

        run_proof(ProofOptions(options.images), console)

    return run_command("distributed proof", prove)


if __name__ == "__main__":
    sys.exit(main())
