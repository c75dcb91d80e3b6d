"""What was read against what the applicant typed, without differences that are no one's mistake."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Final

from airflow_provider_permitocr.permit.columns import Value
from airflow_provider_permitocr.permit.dates import parse_date
from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.permit.quality.numbers import holders_number
from airflow_provider_permitocr.permit.quality.variants import simplified

_SEPARATORS: Final = re.compile(r"[\W_]+")
_IDEOGRAPH: Final = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_LONGEST: Final = 200
_COMPACT_DAY: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
#: Day or month first: either is taken where it is the day that was read.
_DAY_OR_MONTH_FIRST: Final = re.compile(r"([0-9]{1,2})[./-]([0-9]{1,2})[./-]([0-9]{4})")
_TIME: Final = re.compile(r"[T ][0-9:.]+(?:Z|[+-][0-9:]+)?$")
#: How a whole number ends once a frame or a decimal column has held it.
_NO_FRACTION: Final = re.compile(r"(?<=[0-9])\.0+$")


def add_declared_flags(
    found: list[Flag], record: Mapping[str, Value], declared: Mapping[str, Value], zone: tzinfo
) -> None:
    """Add which fields differ from what was typed. What was not typed, or not read, is not compared.

    :param declared: values by ``number``, ``name``, ``english_name`` and ``birthday``, as copied.
    :param zone: whose midnight a birthday may be that was kept as a moment.
    """
    for name, flag, is_same in _COMPARED:
        typed = declared.get(name)
        if typed is None:
            continue
        read = _read(record, name)
        if read is not None and read != typed and is_same(read, typed, record, zone) is False:
            found.append(flag)


def is_comparable(record: Mapping[str, Value], declared: Mapping[str, Value]) -> bool:
    """Return whether any field was both typed and read."""
    for name, _flag, is_same in _COMPARED:
        typed, read = declared.get(name), _read(record, name)
        if typed is None or read is None:
            continue
        if read == typed or is_same(read, typed, record, UTC) is not None:
            return True
    return False


def _read(record: Mapping[str, Value], name: str) -> Value:
    read = record.get(name)
    # The back has a name of its own; on cards of non-Chinese residents it is the only Chinese one.
    return record.get("back_name") if read is None and name == "name" else read


def _is_same_number(read: Value, typed: Value, _record: Mapping[str, Value], _zone: tzinfo) -> bool | None:
    """Compare without leading zeros, which numeric columns lose, and without the count of legacy numbers."""
    known, given = _letters(str(read)), _letters(_NO_FRACTION.sub("", _folded(_typed_text(typed)).strip()))
    if not given:
        return None
    if known.lstrip("0") == given.lstrip("0"):
        return True
    return holders_number(known.upper()).lstrip("0") == holders_number(given.upper()).lstrip("0")


def _is_same_name(read: Value, typed: Value, record: Mapping[str, Value], zone: tzinfo) -> bool | None:
    """Compare in simplified characters; a name that was typed in Latin letters with the English one."""
    known, given = _letters(str(read)), _letters(_typed_text(typed))
    if not given:
        return None
    if known == given:
        return True
    if not _IDEOGRAPH.search(given):
        english = record.get("english_name")
        return None if english is None else _is_same_english_name(english, typed, record, zone)
    return simplified(known) == simplified(given)


def _is_same_english_name(
    read: Value, typed: Value, _record: Mapping[str, Value], _zone: tzinfo
) -> bool | None:
    """Compare letters, and words in any order: many put the surname last."""
    if isinstance(typed, str) and isinstance(read, str) and read.casefold() == typed.casefold():
        return True  # most are, and this runs for every row
    known, given = _latin(str(read)), _latin(_typed_text(typed))
    joined = "".join(given)
    if not joined:
        return None
    if "".join(known) == joined or sorted(known) == sorted(given):
        return True
    surname, _, others = _folded(str(read)).partition(",")
    return "".join(_latin(others) + _latin(surname)) == joined


def _is_same_birthday(read: Value, typed: Value, _record: Mapping[str, Value], zone: tzinfo) -> bool | None:
    days = _days(typed, zone)
    return read in days if days else None


#: Whether what was typed is what was read; None: what was typed says nothing.
_IsSame = Callable[[Value, Value, Mapping[str, Value], tzinfo], bool | None]
#: What was typed, its flag, and how it is compared where it is not just what was read.
_COMPARED: Final[tuple[tuple[str, Flag, _IsSame], ...]] = (
    ("number", Flag.DECLARED_NUMBER, _is_same_number),
    ("name", Flag.DECLARED_NAME, _is_same_name),
    ("english_name", Flag.DECLARED_ENGLISH_NAME, _is_same_english_name),
    ("birthday", Flag.DECLARED_BIRTHDAY, _is_same_birthday),
)


def _days(typed: Value, zone: tzinfo) -> tuple[date, ...]:
    """Return the days that a typed birthday may mean; none where it cannot be read."""
    if isinstance(typed, datetime):
        return _days_of_moment(typed, zone)
    if isinstance(typed, date):
        return (typed,)
    typed_text = _folded(_typed_text(typed)).strip().upper()
    text = _TIME.sub("", typed_text)
    if text != typed_text and (moment := _moment(typed_text)) is not None:
        return _days_of_moment(moment, zone)
    if (day := parse_date(text)) is not None:
        return (day,)
    if match := _COMPACT_DAY.fullmatch(text):
        numbers = [match.groups()]
    elif match := _DAY_OR_MONTH_FIRST.fullmatch(text):
        first, second, year = match.groups()
        numbers = [(year, second, first), (year, first, second)]
    else:
        return ()
    return tuple(day for each in numbers if (day := parse_date("-".join(map(str, each)))) is not None)


def _days_of_moment(moment: datetime, zone: tzinfo) -> tuple[date, ...]:
    """Return the days of a moment: lists keep a birthday as the midnight of one zone or another."""
    if moment.tzinfo is None:
        return (moment.date(),)
    try:
        return (moment.date(), *(moment.astimezone(each).date() for each in (UTC, zone)))
    except OverflowError:
        return (moment.date(),)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _typed_text(typed: Value) -> str:
    """Return what was typed: drivers and frames make floats of integers beside NULLs. NaN is nothing."""
    if isinstance(typed, float):
        return str(int(typed)) if typed.is_integer() else ""
    return str(typed)


def _latin(text: str) -> list[str]:
    """Return the words of a name in Latin letters, without accents and apostrophes."""
    plain = unicodedata.normalize("NFKD", _folded(text))
    plain = "".join(each for each in plain if not unicodedata.combining(each) and each not in "'\u2019`")
    return _SEPARATORS.sub(" ", plain).split()


def _letters(text: str) -> str:
    return _SEPARATORS.sub("", _folded(text))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text[:_LONGEST]).casefold()
