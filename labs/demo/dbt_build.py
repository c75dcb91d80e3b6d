"""``python -m labs.demo.dbt_build``: build and test the dbt package on what the demo has written."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from labs.ground.command import ROOT, run_command

if TYPE_CHECKING:
    from rich.console import Console


def main(arguments: list[str] | None = None) -> int:
    """Build the models.

    :return: the exit status: 0, 1 after a failure, 128 and the signal's number after an interruption.
    """
    parser = argparse.ArgumentParser(prog="python -m labs.demo.dbt_build", description=__doc__)
    parser.add_argument(
        "--state", type=Path, default=ROOT / ".demo", help="directory of the demo (%(default)s)"
    )
    state = parser.parse_args(arguments).state.absolute()
    return run_command("build", lambda console: _build(state, console))


def _build(state: Path, console: Console) -> None:
    from labs.demo.run import WAREHOUSE_DATABASE
    from labs.demo.turn import turn
    from labs.ground.analytics_project import DbtProject, postgres_output
    from labs.ground.servers.postgres import EmbeddedPostgres

    if not (state / "postgres").exists():
        raise RuntimeError(f"The demo has written nothing to {state} yet: run `make demo` first")
    with turn(state, console), EmbeddedPostgres(state / "postgres") as postgres:
        project = DbtProject(
            state / "dbt", postgres_output(postgres.airflow_connection(WAREHOUSE_DATABASE), "dbt")
        )
        variables = {"permit_ocr_schema": "public", "permit_ocr_ledger_schema": "public"}
        ended = project.run("deps", "build", "show --select permit_ocr__daily_cost", **variables)
    console.print(ended.output, markup=False, highlight=False, soft_wrap=True)
    statuses = Counter(ended.nodes[1].values())
    if set(statuses) != {"success", "pass"}:
        raise RuntimeError(f"dbt's models or tests failed: {dict(statuses)}")


if __name__ == "__main__":
    sys.exit(main())
