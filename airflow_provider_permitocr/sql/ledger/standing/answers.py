"""Answers as a ledger keeps them, read as the columns of a result."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.permit.columns import ANSWER_COLUMNS, COLUMNS, ColumnKind, Record, Value
from airflow_provider_permitocr.permit.flatten import flatten
from airflow_provider_permitocr.sql.ledger.tables.schema import AS_ANSWERED, FLATTENED, LedgerTables

#: The column that holds it.
PORTRAIT: Final = "profile"

_READERS: Final[dict[ColumnKind, Callable[[Any], Value]]] = {
    ColumnKind.DATE: date.fromisoformat,
    ColumnKind.BOOLEAN: bool,
}
_KINDS: Final = {column.name: column.kind for column in COLUMNS}
#: How a portrait begins in JSON as ``to_json`` writes it, in either form. No text of an answer looks like it,
#: as quotes have backslashes before them there.
_STARTS: Final = {AS_ANSWERED: '"Profile": "', FLATTENED: f'"{PORTRAIT}": "'}


def read_answer(form: int, answer: str) -> Record | None:
    """Read an answer as the columns of the result.

    :param form: how it is kept.
    :return: None where it was overwritten by what is no answer, to erase it.
    """
    try:
        values = json.loads(answer)
    except ValueError:
        return None
    if not isinstance(values, dict):
        return None
    return flatten(values) if form == AS_ANSWERED else _as_adopted(values)


def has_portrait(tables: LedgerTables) -> sa.ColumnElement[bool]:
    """Tell in the database whether an answer has a portrait."""
    form, answer = tables.answers.c.form, tables.answers.c.answer
    return sa.or_(
        *(
            sa.and_(form == each, answer.like(f"%{start}%"), answer.not_like(f'%{start}"%'))
            for each, start in _STARTS.items()
        )
    )


def _as_adopted(values: dict[str, Any]) -> Record:
    return {name: _value(_KINDS[name], values.get(name)) for name in ANSWER_COLUMNS}


def _value(kind: ColumnKind, value: Any) -> Value:
    """Read a value from JSON, where days are in ISO form."""
    return value if value is None or kind not in _READERS else _READERS[kind](value)
