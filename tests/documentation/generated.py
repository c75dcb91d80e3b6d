"""``python -m tests.documentation.generated`` writes pages from code: columns, commands, fields."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_permitocr.get_provider_info import get_provider_info
from airflow_provider_permitocr.permit.columns import COLUMNS, Column
from airflow_provider_permitocr.sql.ledger.tables.schema import SHAPES

if TYPE_CHECKING:
    from airflow.cli.cli_config import ActionCommand

_REFERENCE: Final = Path(__file__).parents[2] / "docs" / "reference"
#: Types as PostgreSQL has them; docs/guides/tables.md says what other databases have.
_TYPES: Final = {
    "key": "text",
    "text": "text",
    "long text": "text",
    "date": "date",
    "boolean": "boolean",
    "integer": "bigint",
    "float": "double precision",
    "timestamp": "timestamp with time zone",
}


def columns_page() -> str:
    """Return the page of all tables' columns."""
    return "\n".join(
        [
            "# Columns of every table\n",
            "The columns of the result table and of the ledger, with their types in PostgreSQL. The",
            "texts are the columns' comments in the database. [Result tables and",
            "files](../guides/tables.md) says what a row means, and [the ledger](ledger.md) how to",
            "query it. This page is generated from the code.\n",
            "## The result table\n",
            "One row per image and side; a [history](../guides/tables.md#history) has one per",
            "recognition. The key is `image_key` and `card_side`, for a history also `processed_at`.\n",
            *_table(COLUMNS),
            *(line for shape in SHAPES for line in _section(shape)),
        ]
    )


def _section(shape: Any) -> Iterator[str]:
    yield f"## `permit_ocr_{shape.name}`\n"
    key = ", ".join(f"`{name}`" for name in shape.key)
    yield f"{shape.comment}. Its key: {key}.\n"
    yield from _table(shape.columns)


def _table(columns: Iterable[Column]) -> Iterator[str]:
    yield "| column | type | holds |"
    yield "|---|---|---|"
    for each in columns:
        yield f"| `{each.name}` | {_TYPES[each.kind]} | {_cell(each.comment)} |"
    yield ""


def commands_page() -> str:
    """Return the page of the commands and their options."""
    from airflow.cli.cli_config import GroupCommand

    from airflow_provider_permitocr.cli.definition import get_permitocr_cli_commands

    (group,) = get_permitocr_cli_commands()
    assert isinstance(group, GroupCommand)
    lines = [
        "# Commands\n",
        "The commands that the provider adds to `airflow`. This page is generated from their own help.\n",
    ]
    for command in group.subcommands:
        lines += _command(command)
    return "\n".join(lines)


def _command(command: ActionCommand) -> Iterator[str]:
    positional = [each for each in command.args if not each.flags[0].startswith("-")]
    words = " ".join(
        f"[{name.upper()}]" if each.kwargs.get("nargs") in ("?", "*") else name.upper()
        for each in positional
        for name in [each.flags[0]]
    )
    yield f"## `{command.name}`\n"
    yield f"```text\nairflow permitocr {command.name} {words}".rstrip() + "\n```\n"
    yield f"{_prose(command.description or command.help)}\n"
    yield "| argument | means |"
    yield "|---|---|"
    for each in command.args:
        flags = ", ".join(f"`{flag}`" for flag in each.flags)
        yield f"| {flags} | {_cell(_help(each.kwargs))} |"
    yield ""


def fields_page() -> str:
    """Return the page of the connection's fields, and of the options in Airflow's configuration."""
    info = get_provider_info()
    (connection,) = info["connection-types"]
    behavior = connection["ui-field-behaviour"]
    lines = [
        "# Fields of the connection\n",
        "Every field of a connection of type *Tencent Cloud*. [The connection](connection.md) says how to",
        "choose keys and hosts. This page is generated from the code.\n",
        "## Standard fields\n",
        "| field | in the form | placeholder |",
        "|---|---|---|",
    ]
    for field in (*behavior["relabeling"], "port"):
        label = behavior["relabeling"].get(field, field.capitalize())
        lines.append(f"| `{field}` | {label} | {_cell(behavior['placeholders'].get(field, ''))} |")
    lines += [
        "\n## Fields of the extra\n",
        "In JSON, or by their names in the form. Empty fields have their default.\n",
        "| name | in the form | means |",
        "|---|---|---|",
    ]
    for name, field in connection["conn-fields"].items():
        lines.append(f"| `{name}` | {field['label']} | {_cell(field['description'])} |")
    lines += [
        "\n## Airflow's configuration\n",
        "Options of the section *permitocr*, for Airflow's administrators.\n",
        "| option | environment variable | means |",
        "|---|---|---|",
    ]
    for name, option in info["config"]["permitocr"]["options"].items():
        lines.append(f"| `{name}` | `AIRFLOW__PERMITOCR__{name.upper()}` | {_cell(option['description'])} |")
    return "\n".join(lines)


def _help(given: dict[str, Any]) -> str:
    text = " ".join(str(given.get("help", "")).split())
    default = given.get("default")
    text = text.replace("%(default)s", str(default)).replace("%%", "%")
    choices = given.get("choices")
    return f"{text} (one of {', '.join(choices)})" if choices else text


def _prose(text: str) -> str:
    paragraphs = (" ".join(each.split()) for each in text.split("\n\n"))
    escaped = (each.replace("*", r"\*").replace("<", r"\<") for each in paragraphs)
    return "\n\n".join(textwrap.fill(each, 118, break_on_hyphens=False) for each in escaped)


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("<", r"\<").replace("*", r"\*").replace("_...", r"\_...")


PAGES: Final = {
    _REFERENCE / "columns.md": columns_page,
    _REFERENCE / "commands.md": commands_page,
    _REFERENCE / "fields.md": fields_page,
}


def main() -> None:
    """Write the pages."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for file, page in PAGES.items():
        file.write_text(page().rstrip("\n") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
