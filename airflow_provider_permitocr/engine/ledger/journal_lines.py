"""Lines of a journal: one closed call each, as JSON in ASCII."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import date, datetime
from typing import Any, Final

from airflow_provider_permitocr.engine.ledger.calls import Attempt, ClosedCall
from airflow_provider_permitocr.engine.models import ImageFacts
from airflow_provider_permitocr.permit.answers import AnswerForm, KeptAnswer
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status

_TEXT: Final = str | None
#: What a line has to hold, besides its attempt; other types would be refused by the ledger, again and again.
_TYPES: Final[Mapping[str, Any]] = {
    **{"call_id": str, "code": str, "billed": bool | None, "request_id": _TEXT, "reason": _TEXT},
    "answer": dict | None,
}


class UnknownLineError(Exception):
    """A line that is whole, and that this version of the package does not understand."""


def to_line(closed: ClosedCall) -> bytes:
    """Write a closed call as a line."""
    return json.dumps(asdict(closed), default=_iso).encode("ascii") + b"\n"


def from_line(line: bytes) -> ClosedCall | None:
    """Read a line; None for one that was cut off as its process was killed: its call was never closed.

    :raises UnknownLineError: when it is whole, and not understood.
    """
    try:
        values = json.loads(line)
    except ValueError:
        return None
    except RecursionError:
        raise UnknownLineError from None
    try:
        known = {name: values.get(name) for name in _TYPES}
        if not all(isinstance(known[name], kind) for name, kind in _TYPES.items()):
            raise UnknownLineError
        answer, attempt = known.pop("answer"), values.get("attempt")
        return ClosedCall(
            **known,
            answer=answer and KeptAnswer(answer["values"], AnswerForm(answer["form"])),
            attempt=attempt and _attempt(attempt),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UnknownLineError from None


def _attempt(values: Mapping[str, Any]) -> Attempt:
    own = {each.name for each in fields(Attempt)}
    given = {name: value for name, value in values.items() if name in own}
    image_key, card_side = given.pop("row_key")
    updated_at = given.pop("updated_at")
    facts = given.pop("facts")
    return Attempt(
        row_key=(image_key, CardSide(card_side)),
        status=Status(given.pop("status")),
        updated_at=updated_at and datetime.fromisoformat(updated_at),
        facts=ImageFacts(**{each.name: facts.get(each.name) for each in fields(ImageFacts)}),
        **given,
    )


def _iso(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
