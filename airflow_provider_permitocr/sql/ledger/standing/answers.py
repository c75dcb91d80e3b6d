"""Answers in a ledger's tables."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.ports import Delivered
from airflow_provider_permitocr.permit.answers import AnswerForm, KeptAnswer
from airflow_provider_permitocr.permit.privacy import Protection
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

    :param form: how it is kept; None where there is no row.
    :return: None where it is gone, or was overwritten by what is no answer, to erase it.
    """
    if form is None or answer is None:
        return None
    try:
        values = json.loads(answer)
    except ValueError:
        return None
    return KeptAnswer(values, AnswerForm(form)) if isinstance(values, dict) else None


def fit(delivered: Delivered, *, with_portrait: bool, protection: Protection) -> Delivered:
    """Leave out what the policy of now hides, though the ledger may have more of an earlier time.

    :param with_portrait: otherwise a portrait that came with another image's answer is left out, too.
    """
    fields = delivered.fields
    if fields and not with_portrait and delivered.standing.reused_from is not None:
        fields = fields | {PORTRAIT: None}
    if not protection.is_on:
        return delivered if fields is delivered.fields else replace(delivered, fields=fields)
    standing = delivered.standing
    hidden = replace(
        standing,
        carried=protection.protect_carried(standing.carried),
        facts=replace(standing.facts, digest=protection.digest(standing.facts.digest)),
    )
    return replace(delivered, fields=fields, standing=hidden)


def has_portrait(tables: LedgerTables) -> sa.ColumnElement[bool]:
    """Tell in the database whether an answer has a portrait."""
    form, answer = tables.answers.c.form, tables.answers.c.answer
    return sa.or_(
        *(
            sa.and_(form == each.value, answer.like(f"%{start}%"), answer.not_like(f'%{start}"%'))
            for each, start in _STARTS.items()
        )
    )
