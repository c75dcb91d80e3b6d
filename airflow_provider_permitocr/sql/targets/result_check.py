"""Whether an existing result table can take the rows, checked before anything is paid for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from airflow_provider_permitocr.options.targets.result_table import ResultTable, SchemaContract, WriteMode
from airflow_provider_permitocr.permit.columns import KEY_COLUMNS, Column
from airflow_provider_permitocr.sql.database.fit import Fit, Wanted, examine_table, require_encoding
from airflow_provider_permitocr.sql.database.rights import require_rights
from airflow_provider_permitocr.sql.targets.result_schema import KEYS, result_table

#: Columns that a run requires; an added column would be empty in existing rows.
_NEEDED: Final = (*KEY_COLUMNS, "status")
_ADVICE: Final = "name another table, which will then be created"
_FROZEN: Final = (
    "name another table, which will then be created; columns that it lacks are added where schema_contract is"
    " 'evolve'"
)
#: How a result table of the other mode is known.
_OF_OTHER_MODES: Final = {
    WriteMode.UPSERT: {
        frozenset(KEYS[WriteMode.APPEND]): "it keeps one row per recognition, and mode 'upsert' one per image"
        " and side, so use mode 'append'"
    },
    WriteMode.APPEND: {
        frozenset(KEYS[WriteMode.UPSERT]): "it keeps one row per image and side, and mode 'append' one per"
        " recognition, so use mode 'upsert'"
    },
}


def examine(connection: sa.Connection, described: ResultTable, columns: Sequence[Column]) -> Fit | None:
    """Check that the table can take the rows. Changes nothing.

    :param columns: of the result.
    :return: None if there is no such table yet.
    :raises TargetError: naming what to change.
    """
    wanted = wanted_table(described, columns)
    require_encoding(connection, wanted.holds)
    return examine_table(connection, wanted)


def wanted_table(described: ResultTable, columns: Sequence[Column]) -> Wanted:
    """Describe what a result table must be.

    :param columns: of the result.
    """
    mode = WriteMode(described.mode)
    key = KEYS[mode]
    may_evolve = described.schema_contract is SchemaContract.EVOLVE
    addable = [each.name for each in columns if each.name not in (*key, *_NEEDED)] if may_evolve else []
    return Wanted(
        result_table(described.table, columns, mode=mode),
        columns,
        key,
        holds="the result",
        advice=_ADVICE if may_evolve else _FROZEN,
        may_lack=addable,
        other_keys=_OF_OTHER_MODES[mode],
        distinguishes_blanks=False,
    )


def require_rights_to(described: ResultTable, connection: sa.Connection, columns: Sequence[Column]) -> None:
    """Make sure that rows may be read and replaced, without changing anything.

    :param columns: of the result that the table has.
    :raises TargetError: naming the right that is missing.
    """
    table = result_table(described.table, columns, mode=described.mode)
    require_rights(connection, table, named=f"the result table {described.table!r}")
