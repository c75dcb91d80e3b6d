"""Whether the result table that is there can take the rows, found out before anything is paid for."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.columns import KEY_COLUMNS, Column
from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.sql.database.fit import Fit, Wanted, examine_table
from airflow_provider_permitocr.sql.database.inspection import folded, relation_kind, unique_keys
from airflow_provider_permitocr.sql.database.rights import require_rights
from airflow_provider_permitocr.sql.tables import ResultTable, SchemaContract, WriteMode, split_schema
from airflow_provider_permitocr.sql.targets.result_schema import KEYS, result_table

#: What a run cannot do without; a column that is added holds nothing in the rows that are there.
_NEEDED: Final = (*KEY_COLUMNS, "status")
_ADVICE: Final = "name another table, which will then be created"
_FROZEN: Final = (
    "name another table, which will then be created; columns that it lacks are added where schema_contract is"
    " 'evolve'"
)


def examine(connection: sa.Connection, described: ResultTable, columns: Sequence[Column]) -> Fit | None:
    """Check that the table can take the rows. Changes nothing.

    :param columns: of the result.
    :return: None where there is no such table yet.
    :raises TargetError: naming what to change.
    """
    _require_mode(connection, described)
    key = KEYS[WriteMode(described.mode)]
    may_evolve = described.schema_contract is SchemaContract.EVOLVE
    addable = [each.name for each in columns if each.name not in (*key, *_NEEDED)] if may_evolve else []
    return examine_table(
        connection,
        Wanted(
            result_table(described.table, columns, mode=described.mode),
            columns,
            key,
            holds="the result",
            advice=_ADVICE if may_evolve else _FROZEN,
            may_lack=addable,
            tells_blanks_apart=False,
        ),
    )


def _require_mode(connection: sa.Connection, described: ResultTable) -> None:
    """Tell a result table of the other mode from one that is none."""
    schema, name = split_schema(described.table)
    if relation_kind(connection, name, schema) is None:
        return
    unique: Set[frozenset[str]] = {
        frozenset(folded(connection, each) for each in key) for key in unique_keys(connection, name, schema)
    }
    upsert, append = (frozenset(KEYS[mode]) for mode in (WriteMode.UPSERT, WriteMode.APPEND))
    if described.mode is WriteMode.APPEND and upsert in unique:
        raise TargetError(
            f"the result table {described.table!r} keeps one row per image and side, and mode 'append'"
            " one per recognition; name another table, or let the mode be 'upsert'"
        )
    if described.mode is WriteMode.UPSERT and append in unique and upsert not in unique:
        raise TargetError(
            f"the result table {described.table!r} keeps one row per recognition, and mode 'upsert'"
            " one per image and side; name another table, or let the mode be 'append'"
        )


def require_rights_to(described: ResultTable, connection: sa.Connection, columns: Sequence[Column]) -> None:
    """Make sure that rows may be read and replaced, without changing anything.

    :param columns: of the result that the table has.
    :raises TargetError: naming the right that is missing.
    """
    table = result_table(described.table, columns, mode=described.mode)
    require_rights(connection, table, named=f"the result table {described.table!r}")
