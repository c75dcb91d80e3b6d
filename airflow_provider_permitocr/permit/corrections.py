"""Corrections by a person: validated, and stored according to a privacy policy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from airflow_provider_permitocr.permit.answers import clean_text
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import (
    BACK_TEXT_COLUMNS,
    COLUMNS,
    FRONT_TEXT_COLUMNS,
    ColumnKind,
    Record,
)
from airflow_provider_permitocr.permit.dates import parse_date, parse_period
from airflow_provider_permitocr.permit.privacy import FACTS, Protection

_PRINTED: Final = {CardSide.FRONT: FRONT_TEXT_COLUMNS.keys(), CardSide.BACK: BACK_TEXT_COLUMNS.keys()}
#: What can be corrected on each side, by the names that facts have in a privacy policy.
CORRECTABLE_ON: Final[Mapping[CardSide, tuple[str, ...]]] = {
    side: tuple(name for name, fact in FACTS.items() if fact.text in printed and name != "profile")
    for side, printed in _PRINTED.items()
}
CORRECTABLE: Final = tuple(name for fields in CORRECTABLE_ON.values() for name in fields)
#: In characters. No field of a document is longer.
_LONGEST: Final = 200
_DATES: Final = frozenset(column.name for column in COLUMNS if column.kind is ColumnKind.DATE)
#: Metadata of stored corrections, as in protected answers.
_APPLIED: Final = "privacy"


def corrected(given: Mapping[str, Any], side: CardSide) -> Record:
    """Convert corrections to columns of the result; a date also fills the column with its printed text.

    :param given: what is printed on the document, by the names in ``CORRECTABLE_ON`` its side.
    :raises ValueError: naming the field and what is wrong, never the value.
    """
    record: Record = {}
    for name, value in given.items():
        if name not in (fields := CORRECTABLE_ON[side]):
            raise ValueError(f"there is no such field on the {side.lower()}; it has {', '.join(fields)}")
        record |= _columns(name, _text(name, value))
    return record


def kept_corrections(record: Record, protection: Protection) -> dict[str, Any]:
    """Return corrections as the ledger keeps them.

    :param record: as ``corrected`` returns them.
    :param protection: applies the policy to values.
    """
    applied = {name: method for name, method in protection.applied().items() if FACTS[name].text in record}
    return {**_present(protection.protect(record)), **({_APPLIED: applied} if applied else {})}


def protected_corrections(kept: Mapping[str, Any], protection: Protection) -> dict[str, Any]:
    """Return kept corrections as a policy of later has them kept.

    :param kept: as ``kept_corrections`` returned them, days in ISO form.
    """
    done: Mapping[str, str] = kept.get(_APPLIED) or {}
    record = _read(kept)
    applied = {
        name: method
        for name, method in protection.applied(done).items()
        if name in done or FACTS[name].text in record
    }
    return {**_present(protection.protect(record, done)), **({_APPLIED: applied} if applied else {})}


def shown_corrections(kept: Mapping[str, Any], protection: Protection) -> dict[str, str]:
    """Return kept corrections as they leave the ledger: text by column, as the policy of now has it.

    :param kept: as ``kept_corrections`` returned them, days in ISO form.
    """
    shown = protected_corrections(kept, protection)
    return {name: _as_text(value) for name, value in shown.items() if name != _APPLIED}


def _columns(name: str, text: str) -> Record:
    fact = FACTS[name]
    if name == "birthday":
        day = parse_date(text)
        if day is None:
            raise ValueError("birthday is not a date such as 1986.03.02")
        return {fact.text: text, "birthday": day}
    if name == "validity":
        first, last = parse_period(text)
        if first is None:
            raise ValueError("validity is not a period such as 2016.02.03-2021.02.02")
        return {fact.text: text, "valid_from": first, "valid_until": last}
    return {fact.text: text}


def _text(name: str, value: Any) -> str:
    text = clean_text(value).strip() if isinstance(value, str) else ""
    if not text:
        raise ValueError(f"{name} has no value")
    if len(text) > _LONGEST:
        raise ValueError(f"{name} is longer than {_LONGEST} characters")
    return text


def _read(kept: Mapping[str, Any]) -> Record:
    """Parse days, which JSON stores in ISO format; text with which a policy replaced a date stays."""
    values = {name: value for name, value in kept.items() if name != _APPLIED}
    return {name: date.fromisoformat(value) if name in _DATES else value for name, value in values.items()}


def _present(record: Record) -> Record:
    return {name: value for name, value in record.items() if value is not None}


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
