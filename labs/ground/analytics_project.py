"""An analytics engineer's dbt project that has the package of this repository, and a dbt that runs it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from labs.ground.command import ROOT

PACKAGE: Final = ROOT / "dbt" / "permit_ocr"
_PYTHON: Final = ROOT / ".venv-dbt" / "bin" / "python"
_SECONDS: Final = 180
_PROJECT: Final = {
    "name": "analysts",
    "version": "1.0.0",
    "config-version": 2,
    "profile": "analysts",
    "models": {"permit_ocr": {"+schema": "permits"}},
}


@dataclass(frozen=True)
class Ended:
    """What commands of dbt came to.

    :param nodes: of each command, how its nodes ended, by their names.
    :param output: what dbt printed.
    """

    nodes: list[dict[str, str]]
    output: str


class DbtProject:
    """A project that names the package in its ``packages.yml``, and the database that it builds in.

    :param directory: of the project, made here; whatever dbt writes is below it.
    :param output: dbt's connection to the database, as in ``profiles.yml``.
    """

    def __init__(self, directory: Path, output: Mapping[str, Any]) -> None:
        self._directory = directory
        directory.mkdir(exist_ok=True)
        files: dict[str, Any] = {
            "profiles.yml": {"analysts": {"target": "here", "outputs": {"here": output}}},
            "packages.yml": {"packages": [{"local": str(PACKAGE)}]},
            "dbt_project.yml": _PROJECT,
        }
        for name, content in files.items():
            (directory / name).write_text(json.dumps(content), encoding="utf-8")  # JSON is YAML

    def run(self, *commands: str, **variables: Any) -> Ended:
        """Run commands of dbt, in one process: starting it takes seconds. Warnings are errors.

        :param commands: without the word dbt.
        :param variables: of the package.
        :raises RuntimeError: dbt could not run one of them. Failed tests of the data are no reason.
        """
        if not _PYTHON.exists():
            raise RuntimeError(f"{_PYTHON} is missing: `make dbt` sets it up")
        given = [[*command.split(), "--vars", json.dumps(variables)] for command in commands]
        program = str(Path(__file__).with_name("invoke_dbt.py"))
        done = subprocess.run(
            [str(_PYTHON), "-P", program, json.dumps(given)],
            env={
                **{"PATH": os.environ["PATH"], "HOME": str(self._directory)},
                **{"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DBT_WARN_ERROR": "true"},
            },
            cwd=self._directory,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"dbt failed:\n{done.stdout[-5000:]}\n{done.stderr[-3000:]}")
        output, _, last = done.stdout.rstrip("\n").rpartition("\n")
        return Ended(json.loads(last), output)


def postgres_output(connection: Mapping[str, str | int], schema: str = "public") -> dict[str, Any]:
    """Return dbt's connection to a PostgreSQL database.

    :param connection: of Airflow, by its fields.
    :param schema: in which models are built.
    """
    return {
        **{"type": "postgres", "host": connection["host"], "port": connection["port"], "threads": 4},
        **{"user": connection["login"], "password": connection["password"]},
        **{"dbname": connection["schema"], "schema": schema},
    }
