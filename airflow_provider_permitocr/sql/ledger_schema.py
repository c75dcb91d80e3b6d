"""The tables of a ledger: one row per call, and how many calls each day and each run has made."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.columns import Column, ColumnKind
from airflow_provider_permitocr.sql.result_schema import ExactText, UtcTime, sql_type
from airflow_provider_permitocr.sql.tables import split_schema

CALL_COLUMNS: Final = (
    Column("call_id", ColumnKind.KEY, "The call's own; it is sent along as X-TC-TraceId"),
    Column("image_key", ColumnKind.KEY, "Key of the image in the image list"),
    Column("card_side", ColumnKind.KEY, "Side that was asked for: FRONT or BACK"),
    Column("image_digest", ColumnKind.KEY, "SHA-256 of the image; NULL: only the API saw it"),
    Column("intended_at", ColumnKind.TIMESTAMP, "When this row was made, before the call"),
    Column("answered_at", ColumnKind.TIMESTAMP, "When its outcome was known; NULL: it is not"),
    Column("request_id", ColumnKind.TEXT, "RequestId of the answer, for Tencent Cloud's support"),
    Column("code", ColumnKind.TEXT, "OK, NotSent or the error's code; NULL: open, or its worker died"),
    Column("billed", ColumnKind.INTEGER, "1: paid for; 0: not; NULL: nobody can tell"),
    Column("account", ColumnKind.KEY, "Account whose call it is"),
    Column("dag_id", ColumnKind.KEY, "DAG that made it"),
    Column("task_id", ColumnKind.KEY, "Task that made it"),
    Column("run_id", ColumnKind.KEY, "Airflow run that made it"),
    Column("map_index", ColumnKind.INTEGER, "Of a mapped task; -1 otherwise"),
    Column("task_try", ColumnKind.INTEGER, "Which try of the task made it, from 1"),
    Column("session_id", ColumnKind.KEY, "Process that made it, by a random name"),
)
BUDGET_COLUMNS: Final = (
    Column("account", ColumnKind.KEY, "Account whose calls these are; empty in the row that is locked"),
    Column("scope", ColumnKind.KEY, "day, run or lock"),
    Column("period", ColumnKind.KEY, "Which day, or which run"),
    Column("calls", ColumnKind.INTEGER, "How many calls it has made, those under way included"),
)
#: What makes each row of the two tables one row.
CALL_KEY: Final = ("call_id",)
BUDGET_KEY: Final = ("account", "scope", "period")
#: What the calls for an image are looked up by.
LOOKED_UP_BY: Final = ("image_key", "card_side")

#: In characters, so that the keys stay below MySQL's 3,072 bytes.
_LENGTHS: Final = {
    **{"call_id": 32, "card_side": 8, "image_digest": 64, "account": 128},
    **{"session_id": 32, "scope": 8},
}
#: MySQL's and SQL Server's longest.
LONGEST_PERIOD: Final = 250
_MAY_BE_NULL: Final = ("image_digest", "answered_at", "request_id", "code", "billed")


def calls_table(name: str, *, without_zone: Collection[str] = ()) -> sa.Table:
    """Describe the table of calls, with its index.

    :param name: with or without ``schema.`` in front.
    :param without_zone: columns of times that the database keeps without a time zone, as the user made them.
    """
    table = _describe(name, CALL_COLUMNS, CALL_KEY, "Calls of MainlandPermitOCR, one row each", without_zone)
    sa.Index(f"{table.name}_by_image"[:60], *(table.c[column] for column in LOOKED_UP_BY))
    return table


def budget_table(name: str) -> sa.Table:
    """Describe the table that counts calls.

    :param name: of the table of calls that it belongs to.
    """
    comment = "How many calls of MainlandPermitOCR each day and each run has made"
    return _describe(f"{name}_budget", BUDGET_COLUMNS, BUDGET_KEY, comment)


def _describe(
    name: str,
    columns: Sequence[Column],
    key: Sequence[str],
    comment: str,
    without_zone: Collection[str] = (),
) -> sa.Table:
    schema, table = split_schema(name)
    described = (
        sa.Column(
            column.name,
            UtcTime() if column.name in without_zone else _type_of(column),
            primary_key=column.name in key,
            nullable=column.name in _MAY_BE_NULL,
            autoincrement=False,
            comment=column.comment,
        )
        for column in columns
    )
    return sa.Table(table, sa.MetaData(), *described, schema=schema, comment=comment)


def _type_of(column: Column) -> sa.types.TypeEngine[Any]:
    if column.name == "period":
        return ExactText(LONGEST_PERIOD)
    return ExactText(_LENGTHS[column.name]) if column.name in _LENGTHS else sql_type(column)
