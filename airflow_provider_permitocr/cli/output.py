"""What commands print for programs and in tables, as every ``airflow`` command does: ``--output``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from airflow_provider_permitocr.cli.airflow_internals import console

Row: TypeAlias = "Mapping[str, Any]"


def say(text: str, ending: str = "\n") -> None:
    """Print a text at once, also where the output is no terminal."""
    sys.stdout.write(f"{text}{ending}")
    sys.stdout.flush()


def print_rows(rows: Sequence[Row], output: str, document: Any = None) -> None:
    """Print rows of equal fields.

    :param output: ``table``, ``plain``, ``json`` or ``yaml``.
    :param document: replaces the rows in JSON and YAML.
    """
    from rich.markup import escape

    whole: Any = rows if document is None else document
    match output:
        case "json":
            console().print_as_json(whole)
        case "yaml":
            console().print_as_yaml(whole)
        case "table":
            # rich would parse text such as package[extra] as a style.
            console().print_as_table([_shown(row, escape) for row in rows])
        case _:
            console().print_as_plain_table([_shown(row, str) for row in rows])


def _shown(row: Row, write: Any) -> dict[str, str]:
    return {name: "" if value is None else write(str(value)) for name, value in row.items()}
