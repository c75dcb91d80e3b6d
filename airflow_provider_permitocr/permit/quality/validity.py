"""Dates against each other and against the day of the examination."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import MAXYEAR, date, timedelta
from typing import Final

from airflow_provider_permitocr.permit.columns import Value
from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.permit.quality.kinds import PermitKind
from airflow_provider_permitocr.permit.quality.numbers import is_for_one_journey

#: Older than anyone whose age is known.
_OLDEST: Final = 120
_ONE_DAY: Final = timedelta(days=1)
#: Applicants under age get the shorter term, and may come of age before the card is issued weeks later.
_APPLICATION: Final = timedelta(days=60)
#: Terms in years. Hong Kong and Macao: 10, and 3 for minors on cards of 1999 (MPS notice of 2010-03-10), 5 on
#: those that followed (Wikipedia). Taiwan and non-Chinese residents: 5 (API's sample; shine.cn, 2024-07-05).
#: Exit-entry: 10, and 5 under 16; booklets, with a W, were also issued for 5 years to adults.
_FIVE, _TEN, _FIVE_OR_TEN = frozenset({5}), frozenset({10}), frozenset({5, 10})
_THREE_OR_FIVE: Final = frozenset({3, 5})
_OF_AGE: Final = {PermitKind.HONG_KONG_MACAO: 18, PermitKind.EXIT_ENTRY: 16}
#: The last cards of 1999 were issued in the first weeks of 2013.
_LAST_OF_1999: Final = date(2013, 7, 1)


def add_date_flags(
    found: list[Flag], record: Mapping[str, Value], kind: PermitKind | None, day: date, soon: timedelta
) -> None:
    """Add what is remarkable about birthday and validity.

    :param soon: how long before its end a card is said to expire soon.
    """
    birthday, first, last = record.get("birthday"), record.get("valid_from"), record.get("valid_until")
    if (birthday is None and record.get("birthday_raw")) or (first is None and record.get("valid_date")):
        found.append(Flag.DATE_UNREADABLE)
    # Instances of date alone: a record comes from ``flatten``, or from a ledger that keeps dates.
    born = birthday if isinstance(birthday, date) else None
    begins = first if isinstance(first, date) else None
    ends = last if isinstance(last, date) else None
    if born is not None:
        _add_birth_flags(found, born, begins or day, day)
    if ends is not None:
        if ends < day:
            found.append(Flag.EXPIRED)
        elif ends - day <= soon:
            found.append(Flag.EXPIRES_SOON)
    if begins is not None:
        if begins > day:
            found.append(Flag.NOT_YET_VALID)
        if kind is not None and not _is_term(begins, ends, kind, born, record.get("number")):
            found.append(Flag.VALIDITY_TERM)


def _add_birth_flags(found: list[Flag], born: date, issued: date, day: date) -> None:
    if born > issued or born > day:
        found.append(Flag.BIRTH_AFTER_ISSUE)
    elif issued.year - born.year > _OLDEST:
        found.append(Flag.AGE_OVER_120)


def _is_term(first: date, last: date | None, kind: PermitKind, born: date | None, number: Value) -> bool:
    number = number if isinstance(number, str) else None
    years = _whole_years(first, last) if last is not None else None
    if years is not None and years in _terms(kind, first, born, number):
        return True
    return is_for_one_journey(number, kind)


def _whole_years(first: date, last: date) -> int | None:
    """Return how many years a period has that ends the day before an anniversary; None for another."""
    if last.year == MAXYEAR:
        return None
    after = last + _ONE_DAY
    is_anniversary = after.day == first.day and after.month == first.month
    if not is_anniversary and (first.month, first.day) == (2, 29):
        is_anniversary = (after.month, after.day) in ((2, 28), (3, 1))
    return after.year - first.year if is_anniversary else None


def _terms(kind: PermitKind, first: date, born: date | None, number: str | None) -> frozenset[int]:
    of_age = _OF_AGE.get(kind)
    if of_age is None:
        return _FIVE
    if kind is PermitKind.EXIT_ENTRY:
        if number is not None and number.startswith("W"):
            return _FIVE_OR_TEN
        young = _FIVE
    else:
        young = _THREE_OR_FIVE if first < _LAST_OF_1999 else _FIVE
    if born is None or born > first:
        return young | _TEN
    comes_of_age = _anniversary(born, of_age)
    if first < comes_of_age:
        return young
    return young | _TEN if first - comes_of_age <= _APPLICATION else _TEN


def _anniversary(born: date, years: int) -> date:
    if born.year + years > MAXYEAR:
        return date.max
    if born.month == 2 and born.day == 29:
        return date(born.year + years, 3, 1)
    return born.replace(year=born.year + years)
