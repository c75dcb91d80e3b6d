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
    new = {answer_id: put[portrait_name(answer_id)] for answer_id in found}
    kept = _keep_paths(engine, tables, new)
    if unneeded := set(new.values()) - set(kept.values()):
        store.remove([path.rpartition("/")[2] for path in sorted(unneeded)])
    return [_with_path(each, kept) if each.standing.answer_id in new else each for each in delivered]


def is_path(profile: str) -> bool:
    """Return whether a row's ``profile`` leads to a portrait's file."""
    return _PATH.fullmatch(profile) is not None


def is_portrait_name(profile: str) -> bool:
    """Return whether this is the name of a portrait that has no path yet."""
    return _NAME.fullmatch(profile) is not None


def stored_as(answer_id: str, profile: str) -> set[str]:
    """Return what leads to the file of an answer's portrait.

    A portrait that is in the answer may be in a file as well: a delivery writes that first.

    :param profile: of the answer.
    """
    return {profile} if _decoded(profile) is None else {profile, portrait_name(answer_id)}


def _content(delivered: Delivered) -> bytes | None:
    portrait = (delivered.fields or {}).get(PORTRAIT)
    return _decoded(portrait) if isinstance(portrait, str) else None


def _decoded(portrait: str) -> bytes | None:
    """Return a portrait that is in an answer; None for a path, or what is no portrait."""
    if is_path(portrait):
        return None
    try:
        return base64.b64decode(portrait, validate=True)
    except binascii.Error:
        return None


def portrait_name(answer_id: str) -> str:
    """Return the name of an answer's portrait, without the suffix for its format."""
    # A call's ID has 80 random bits, and is in no table but the ledger's.
    return hashlib.sha256(f"portrait of {answer_id}".encode()).hexdigest()[:40]


def _keep_paths(engine: sa.Engine, tables: LedgerTables, new: Mapping[str, str]) -> dict[str, str]:
    """Store paths in answers, in place of portraits.

    Outside of the ledger's lock, as portraits are long. So an answer is only changed as it was read: an
    erasure may have emptied or rewritten it meanwhile, and what that has hidden must not come back.

    :param new: paths of written portraits by answer.
    :return: the path in each answer that still has its portrait.
    """
    answers = tables.answers
    kept: dict[str, str] = {}
    left = sorted(new)
    while left:
        some, left = left[:_ANSWERS_AT_ONCE], left[_ANSWERS_AT_ONCE:]
        # A transaction each, as MySQL would read a changed answer again as it was.
        with engine.begin() as connection:
            found = connection.execute(sa.select(answers).where(answers.c.call_id.in_(some))).all()
            for call_id, form, text in found:
                if (answer := read_answer(form, text)) is None:
                    continue
                field = "Profile" if answer.form is AnswerForm.AS_ANSWERED else PORTRAIT
                profile = answer.values.get(field)
                if not isinstance(profile, str):
                    continue
                if is_path(profile):  # of another delivery
                    kept[call_id] = profile
                    continue
                values = to_json({**answer.values, field: new[call_id]})
                is_unchanged = sa.and_(answers.c.call_id == call_id, answers.c.answer == text)
                if connection.execute(sa.update(answers).where(is_unchanged).values(answer=values)).rowcount:
                    kept[call_id] = new[call_id]
                else:
                    left.append(call_id)
    return kept


def _with_path(delivered: Delivered, kept: Mapping[str, str]) -> Delivered:
    """Return an image with its portrait's path; without a portrait if its answer has lost that."""
    if not delivered.fields or not delivered.fields.get(PORTRAIT):
        return delivered
    path = kept.get(delivered.standing.answer_id or "")
    return replace(delivered, fields=delivered.fields | {PORTRAIT: path})
