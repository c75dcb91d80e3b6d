"""Which parts of answers leave a ledger: hidden by the current policy, portraits as their files' paths."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.deliveries import Delivered
from airflow_provider_permitocr.engine.ledger.ports import PortraitStore
from airflow_provider_permitocr.permit.answers import AnswerForm, Reading
from airflow_provider_permitocr.sql.ledger.paging import chunks
from airflow_provider_permitocr.sql.ledger.standing.answers import PORTRAIT, read_answer
from airflow_provider_permitocr.sql.ledger.standing.images import to_json
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

#: As ``portrait_name`` makes them; base64 of a portrait is longer.
_NAME: Final = re.compile(r"[0-9a-f]{40}")
#: A folder, and a portrait's file name. An adopted table may hold any text, and only portraits may be
#: deleted.
_PATH: Final = re.compile(rf"(?:[^:/]+:/)?/.+/{_NAME.pattern}\.[a-z]{{3}}", re.DOTALL)
_ANSWERS_AT_ONCE: Final = 100


@dataclass(frozen=True)
class Disclosure:
    """Which parts of answers leave a ledger.

    :param with_portrait: identical images only reuse answers with a portrait, if there are any; False: they
        never reuse another image's portrait.
    :param reading: examines answers, with the current policy; the ledger may store more, from earlier
        policies.
    :param portraits: stores portraits before anything else gets them; None: they stay in the answers.
    """

    with_portrait: bool = False
    reading: Reading = Reading()
    portraits: PortraitStore | None = None

    def of(self, engine: sa.Engine, tables: LedgerTables, delivered: Sequence[Delivered]) -> list[Delivered]:
        """Return images as they leave the ledger.

        :raises TargetError, UnreachableError: when portraits cannot be written.
        """
        shown = [self._shown(each) for each in delivered]
        return shown if self.portraits is None else _moved(engine, tables, shown, self.portraits)

    def _shown(self, delivered: Delivered) -> Delivered:
        fields, standing, protection = delivered.fields, delivered.standing, self.reading.protection
        if fields and not self.with_portrait and standing.reused_from is not None:
            fields = fields | {PORTRAIT: None}
        if not protection.is_on:
            return delivered if fields is delivered.fields else replace(delivered, fields=fields)
        facts = standing.facts
        hidden = replace(
            standing,
            carried=protection.protect_carried(standing.carried),
            facts=facts.without_identity if protection.hides_image else facts,
        )
        return replace(delivered, fields=fields, standing=hidden)


def _moved(
    engine: sa.Engine, tables: LedgerTables, delivered: Sequence[Delivered], store: PortraitStore
) -> list[Delivered]:
    """Write portraits into their store, and store their paths in the ledger.

    Safe to repeat after an error: a portrait keeps its name, which only the ledger knows.
    """
    found = {
        answer_id: content
        for each in delivered
        if (answer_id := each.standing.answer_id) and (content := _content(each)) is not None
    }
    if not found:
        return list(delivered)
    put = store.put({portrait_name(answer_id): content for answer_id, content in found.items()})
    paths = {answer_id: put[portrait_name(answer_id)] for answer_id in found}
    with engine.begin() as connection:
        _keep_paths(connection, tables, paths)
    return [_with_path(each, paths) for each in delivered]


def is_path(profile: str) -> bool:
    """Return whether a row's ``profile`` leads to a portrait's file."""
    return _PATH.fullmatch(profile) is not None


def is_portrait_name(profile: str) -> bool:
    """Return whether this is the name of a portrait that has no path yet."""
    return _NAME.fullmatch(profile) is not None


def _content(delivered: Delivered) -> bytes | None:
    portrait = (delivered.fields or {}).get(PORTRAIT)
    if not isinstance(portrait, str) or is_path(portrait):
        return None
    try:
        return base64.b64decode(portrait, validate=True)
    except binascii.Error:
        return None


def portrait_name(answer_id: str) -> str:
    """Return the name of an answer's portrait, without the suffix for its format."""
    # A call's ID has 80 random bits, and is in no table but the ledger's.
    return hashlib.sha256(f"portrait of {answer_id}".encode()).hexdigest()[:40]


def _keep_paths(connection: sa.Connection, tables: LedgerTables, paths: Mapping[str, str]) -> None:
    answers = tables.answers
    for answer_ids in chunks(paths, _ANSWERS_AT_ONCE):
        some = answers.c.call_id.in_(answer_ids)
        for call_id, form, text in connection.execute(sa.select(answers).where(some)).all():
            if (kept := read_answer(form, text)) is None:  # erased meanwhile
                continue
            field = "Profile" if kept.form is AnswerForm.AS_ANSWERED else PORTRAIT
            values = {**kept.values, field: paths[call_id]}
            connection.execute(
                sa.update(answers).where(answers.c.call_id == call_id).values(answer=to_json(values))
            )


def _with_path(delivered: Delivered, paths: Mapping[str, str]) -> Delivered:
    path = paths.get(delivered.standing.answer_id or "")
    if path is None or not delivered.fields or not delivered.fields.get(PORTRAIT):
        return delivered
    return replace(delivered, fields=delivered.fields | {PORTRAIT: path})
