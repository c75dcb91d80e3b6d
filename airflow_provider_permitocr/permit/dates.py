"""Dates and periods as documents print them."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Final

#: Longer text is not a date, and would be slow to match.
_LONGEST_DATE: Final = 100
_DAY: Final = r"(\d{4})\s*(?:[./年-])\s*(\d{1,2})\s*(?:[./月-])\s*(\d{1,2})\s*日?"
_ONE_DAY: Final = re.compile(rf"\s*{_DAY}\s*")
_PERIOD: Final = re.compile(rf"\s*{_DAY}\s*(?:-|–|—|~|至)\s*(?:{_DAY}|长期)\s*")


def parse_date(text: str | None) -> date | None:
    """Read one date, such as ``1986.03.02``; None for anything that is not a date.

    The separators ``.``, ``-``, ``/`` and ``年月日`` are accepted, and full-width digits, too.
    """
    match = _ONE_DAY.fullmatch(_plain(text))
    return _date(*match.groups()) if match else None


def parse_period(text: str | None) -> tuple[date | None, date | None]:
    """Read a validity period, such as ``2016.02.03-2021.02.02`` or ``2016.02.03-长期`` (no end).

    :return: first and last day; both None for anything else, also for a period that ends before it starts.
    """
    match = _PERIOD.fullmatch(_plain(text))
    if not match:
        return None, None
    first = _date(*match.groups()[:3])
    last = _date(*match.groups()[3:]) if match.group(4) else None
    impossible = first is None or (match.group(4) and last is None) or (last is not None and last < first)
    return (None, None) if impossible else (first, last)


def _plain(text: str | None) -> str:
    if len(text or "") > _LONGEST_DATE:
        return ""
    return unicodedata.normalize("NFKC", text or "")


def _date(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
