"""What a person enters for one reading: right, wrong, or a correction."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record
from airflow_provider_permitocr.permit.corrections import corrected

#: What the form offers.
RIGHT: Final = "right"
WRONG: Final = "wrong"
_SAID_RIGHT: Final = frozenset({RIGHT, "r", "y", "yes", "ok", "正确", "对", "正確", "對"})
_SAID_WRONG: Final = frozenset({WRONG, "w", "n", "no", "错误", "错", "錯誤", "錯"})
_BETWEEN: Final = re.compile(r"[;；\n]")
_EQUALS: Final = re.compile(r"[=＝]")
_LONGEST: Final = 4_000


class Decision(StrEnum):
    """The outcome of a reviewed reading."""

    CONFIRMED = "confirmed"  #: it is right
    CORRECTED = "corrected"  #: it is wrong, and the correction was entered
    REJECTED = "rejected"  #: it is wrong
    UNDECIDED = "undecided"  #: the question is closed without an answer


@dataclass(frozen=True)
class Entry:
    """A decision about one reading.

    :param corrections: columns of the result as they should be.
    :param fields: corrected facts, by their names in a privacy policy.
    """

    decision: Decision
    corrections: Record = field(default_factory=dict, repr=False)
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entries:
    """What was entered for the readings of a question.

    :param by_review: entries by the names of the question's rows; None: left open.
    :param unreadable: how many could not be read, by the reason; no values.
    :param has_text: whether something was typed that may be a person's data.
    """

    by_review: Mapping[str, Entry | None]
    unreadable: Mapping[str, int]
    has_text: bool


def read_entries(
    given: Mapping[str, Any], sides: Mapping[str, CardSide], *, confirms_rest: bool = False
) -> Entries:
    """Parse what was entered, where anything may have been.

    :param given: by the names of the question's rows.
    :param sides: sides of the question's readings, by these names. Rows of other names are not read: they are
        only there to be counted.
    :param confirms_rest: whether rows that are empty, or that were not sent at all, are confirmed.
    """
    entries: dict[str, Entry | None] = dict.fromkeys(given.keys() - sides.keys())
    unreadable: Counter[str] = Counter()
    for review_id, side in sides.items():
        entries[review_id] = None
        try:
            entry = read_entry(given.get(review_id), side)
        except ValueError as error:
            unreadable[str(error)] += 1
        else:
            entries[review_id] = Entry(Decision.CONFIRMED) if entry is None and confirms_rest else entry
    return Entries(entries, unreadable, any(map(_is_text, given.values())))


def read_entry(given: Any, side: CardSide) -> Entry | None:
    """Parse what was entered for one reading.

    ``right`` and ``wrong``, or what is printed on the document: ``name=陈小明; birthday=1986.03.02``. An
    object of fields is accepted, too, as are true and false.

    :return: None if nothing was entered.
    :raises ValueError: naming what is wrong, never a value.
    """
    if isinstance(given, bool):
        return Entry(Decision.CONFIRMED if given else Decision.REJECTED)
    if isinstance(given, Mapping):
        return _corrected(given, side) if given else None
    if given is not None and not (isinstance(given, str) and len(given) <= _LONGEST):
        raise ValueError(f"it is not a text of at most {_LONGEST:,} characters")
    said = (given or "").strip()
    if not said:
        return None
    return _said(said, side)


def _is_text(given: Any) -> bool:
    """Return whether an entry is more than right, wrong or nothing."""
    if isinstance(given, str):
        return given.strip().lower() not in {"", *_SAID_RIGHT, *_SAID_WRONG}
    return not isinstance(given, bool) and bool(given)


def _said(said: str, side: CardSide) -> Entry:
    if said.lower() in _SAID_RIGHT:
        return Entry(Decision.CONFIRMED)
    if said.lower() in _SAID_WRONG:
        return Entry(Decision.REJECTED)
    return _corrected(_pairs(said), side)


def _pairs(said: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for part in _BETWEEN.split(said):
        if not part.strip():
            continue
        name, *value = _EQUALS.split(part, maxsplit=1)
        if not value:
            raise ValueError("it is neither right nor wrong nor a correction such as name=...")
        name = name.strip().lower()
        if name in pairs:
            raise ValueError("a field is corrected twice")
        pairs[name] = value[0]
    return pairs


def _corrected(given: Mapping[str, Any], side: CardSide) -> Entry:
    return Entry(Decision.CORRECTED, corrected(given, side), tuple(given))
