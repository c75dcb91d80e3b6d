"""Answers in a ledger's tables."""

from __future__ import annotations

import json
from typing import Final

import sqlalchemy as sa

from airflow_provider_permitocr.permit.answers import AnswerForm, KeptAnswer
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

#: The column that holds it.
PORTRAIT: Final = "profile"
#: How a portrait begins in JSON as ``to_json`` writes it. No text of an answer looks like it, as quotes have
#: backslashes before them there.
_STARTS: Final = {
    AnswerForm.AS_ANSWERED: '"Profile": "',
    AnswerForm.ADOPTED: f'"{PORTRAIT}": "',
    AnswerForm.PROTECTED: f'"{PORTRAIT}": "',
}


def read_answer(form: int | None, answer: str | None) -> KeptAnswer | None:
    """Read an answer.

    :param form: how it is stored; None if there is no row.
    :return: None if it is gone, or an erasure has overwritten it.
    """
    if form is None or answer is None:
        return None
    try:
        values = json.loads(answer)
    except ValueError:
        return None
    return KeptAnswer(values, AnswerForm(form)) if isinstance(values, dict) else None


def has_portrait(tables: LedgerTables) -> sa.ColumnElement[bool]:
    """Return in SQL whether an answer has a portrait."""
    form, answer = tables.answers.c.form, tables.answers.c.answer
    return sa.or_(
        *(
            sa.and_(form == each.value, answer.like(f"%{start}%"), answer.not_like(f'%{start}"%'))
            for each, start in _STARTS.items()
        )
    )
