"""Whether the table that a connector finds can take the rows, found out before anything is paid for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from airflow_provider_permitocr.core.columns import KEY_COLUMNS, Column
from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.sql.database.connector_database import (
    ConnectorDatabase,
    Relation,
    StoredColumn,
)
from airflow_provider_permitocr.sql.tables import ResultTable, SchemaContract, WriteMode
from airflow_provider_permitocr.sql.targets.result_schema import KEYS

_EXAMPLES: Final = 5


def examine(
    database: ConnectorDatabase, described: ResultTable, columns: Sequence[Column], found: Relation
) -> tuple[Column, ...]:
    """Check that a table can take the rows.

    :param columns: of the result.
    :return: columns of the result that it lacks.
    :raises TargetError: naming what to change.
    """
    if found.is_view:
        raise TargetError(
            f"{described.table!r} is a view, which rows cannot be written to; name a table, or another name,"
            " of which one will be made"
        )
    missing = tuple(column for column in columns if column.name not in found.columns)
    _require_columns(described, [column.name for column in missing])
    present = {column: found.columns[column.name] for column in columns if column not in missing}
    _require_types(database, described, present)
    _require_no_others(described, found.columns, {column.name for column in columns})
    _require_mode(described, found.declared_key)
    return missing


def _require_columns(described: ResultTable, lacking: Sequence[str]) -> None:
    # A column that is added holds nothing in the rows that are there.
    needed = (*KEY_COLUMNS, *KEYS[WriteMode(described.mode)], "status")
    if never := [name for name in lacking if name in needed]:
        raise TargetError(
            f"the table {described.table!r} exists already, but lacks {', '.join(never)}, which no result is"
            " without; name another table, which will then be created"
        )
    if lacking and described.schema_contract is SchemaContract.FREEZE:
        raise TargetError(
            f"the table {described.table!r} exists already, but lacks {_listed(lacking)}; add"
            f" {'it' if len(lacking) == 1 else 'them'}, or let schema_contract be 'evolve'"
        )


def _require_types(
    database: ConnectorDatabase, described: ResultTable, present: Mapping[Column, StoredColumn]
) -> None:
    misfits = [why for column, stored in present.items() if (why := database.misfit(column, stored))]
    if misfits:
        raise TargetError(
            f"the table {described.table!r} cannot hold the result: {'; '.join(misfits)}; change"
            f" {'this column' if len(misfits) == 1 else 'these columns'}, or name another table"
        )


def _require_no_others(
    described: ResultTable, found: Mapping[str, StoredColumn], names: Collection[str]
) -> None:
    others = [each.name for name, each in found.items() if name not in names and not each.is_filled]
    if others:
        raise TargetError(
            f"the table {described.table!r} takes no row without {_listed(others)}, which no result has; give"
            f" {'it' if len(others) == 1 else 'them'} a default, or let NULL be allowed"
        )


def _require_mode(described: ResultTable, declared: frozenset[str]) -> None:
    """Tell a history from a table that is none by the key that was declared: rows do not tell it."""
    kept = {frozenset(key): mode for mode, key in KEYS.items()}.get(declared, WriteMode(described.mode))
    if kept is not WriteMode(described.mode):
        raise TargetError(
            f"the key of the table {described.table!r} is that of mode {kept.value!r}, and rows come in mode"
            f" {WriteMode(described.mode).value!r}; name another table, or let the mode be {kept.value!r}"
        )


def _listed(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"the column {names[0]}"
    more = f" and {len(names) - _EXAMPLES} more" if len(names) > _EXAMPLES else ""
    return f"{len(names)} columns: {', '.join(names[:_EXAMPLES])}{more}"
