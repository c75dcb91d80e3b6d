"""How each field is written, and the reading errors that its format can correct.

A format maps look-alikes (O in a run of digits, a full-width bracket) and never invents: a text that
cannot be this field gives ''.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from airflow_provider_permitocr.permit.api import PermitType

#: Takes a text as read; returns the field's value, or '' if the text cannot be this field.
Format = Callable[[str], str]

_ASCII_FOR: Final = str.maketrans("，。．、：（）－—–～　", ",.,,:()---- ")
_DIGITS_FOR: Final = str.maketrans("OQDoIl|iZzSB", "000011112258")
_LETTERS_FOR: Final = str.maketrans("015|", "OISI")

_HAN: Final = "\u3007\u3400-\u9fff·"
_HAN_NAME: Final = re.compile(rf"[{_HAN}]{{2,8}}")
_HAN_PLACE: Final = re.compile(rf"[{_HAN}]{{2,10}}")
_HAN_AUTHORITY: Final = re.compile(rf"[{_HAN}]{{4,24}}")
_LATIN_NAME: Final = re.compile(r"[A-Z][A-Z' -]*,[A-Z][A-Z' -]*")
_GAP: Final = r"[^\dA-Za-z]{0,2}"
_DATE: Final = rf"(\d{{4}}){_GAP}(\d\d){_GAP}(\d\d)"
_ONE_DATE: Final = re.compile(_DATE)
_TWO_DATES: Final = re.compile(_DATE + r"[^\dA-Za-z]{0,3}" + _DATE)
_HISTORY: Final = re.compile(r"([HM])(\d{8}(?:\d\d)?)")
_HONG_KONG_ID: Final = re.compile(r"([A-Z]{1,2})(\d{6})\(?([0-9A])\)?")
_MACAO_ID: Final = re.compile(r"(\d{7})\(?(\d)\)?")
#: What a card's ground next to a number may be read as: dashes and strokes.
_STRAY: Final = re.compile(r"^[^0-9A-Za-z]+|[^0-9A-Za-z)]+$")


def han_name(text: str) -> str:
    """A name in Chinese characters."""
    return _whole(_HAN_NAME, _joined(text))


def place(text: str) -> str:
    """A place or country in Chinese characters."""
    return _whole(_HAN_PLACE, _joined(text))


def authority(text: str) -> str:
    """An issuing authority in Chinese characters."""
    return _whole(_HAN_AUTHORITY, _joined(text))


def latin_name(text: str) -> str:
    """A name in capital letters, surname and given name parted by a comma."""
    plain = re.sub(r" *([,.-]) *", r"\1", text.translate(_ASCII_FOR).strip()).replace(".", ",")
    return _whole(_LATIN_NAME, plain.translate(_LETTERS_FOR))


def sex(text: str) -> str:
    """``男`` or ``女``."""
    return text.strip() if text.strip() in ("男", "女") else ""


def one_date(text: str) -> str:
    """A day as ``1986.03.02``."""
    match = _ONE_DATE.fullmatch(_digits(text))
    return _day(*match.groups()) if match else ""


def two_dates(text: str) -> str:
    """A term as ``2016.02.03-2021.02.02``."""
    match = _TWO_DATES.fullmatch(_digits(text))
    if match is None:
        return ""
    first, last = _day(*match.groups()[:3]), _day(*match.groups()[3:])
    return f"{first}-{last}" if first and last else ""


def count(text: str) -> str:
    """How many cards the holder had, in two digits."""
    digits = _digits(text)
    return digits if re.fullmatch(r"\d\d", digits) else ""


def permit_number(permit_type: PermitType) -> Format:
    """The format of a type's numbers, current and legacy."""
    return {
        PermitType.HONG_KONG_MACAO: _resident_number,
        PermitType.TAIWAN: _taiwan_number,
        PermitType.EXIT_ENTRY: _exit_entry_number,
    }[permit_type]


def history_number(text: str) -> str:
    """The number of a former permit of a Hong Kong or Macao resident."""
    plain = _code(text)
    match = _HISTORY.fullmatch(plain[:1] + _digits(plain[1:]))
    return match.group() if match else ""


def id_number(text: str) -> str:
    """A Hong Kong identity card number as ``A123456(7)``, or one of Macao as ``1234567(8)``."""
    plain = _code(text)
    hong_kong = _HONG_KONG_ID.fullmatch(plain[:1] + _digits(plain[1:]))
    if hong_kong:
        return "{}{}({})".format(*hong_kong.groups())
    macao = _MACAO_ID.fullmatch(_digits(plain))
    return "{}({})".format(*macao.groups()) if macao else ""


def _resident_number(text: str) -> str:
    plain = _code(text)
    series = 2 if plain[1:2] == "A" else 1
    number = plain[:series] + _digits(plain[series:])
    return number if re.fullmatch(r"[HM](A\d{7}|\d{8}(\d\d)?)", number) else ""


def _taiwan_number(text: str) -> str:
    number = _digits(_code(text))
    return number if re.fullmatch(r"\d{8}(\d\d)?", number) else ""


def _exit_entry_number(text: str) -> str:
    plain = _code(text)
    # The second place is a letter in the series since 2018, which leaves out I and O: those are digits.
    series = 2 if re.fullmatch(r"[A-HJ-NP-Z]", plain[1:2]) else 1
    number = plain[:series] + _digits(plain[series:])
    return number if re.fullmatch(r"C[A-HJ-NP-Z]?\d{7,8}|W\d{8}", number) and len(number) == 9 else ""


def _joined(text: str) -> str:
    return "".join(text.translate(_ASCII_FOR).split())


def _code(text: str) -> str:
    return _STRAY.sub("", _joined(text))


def _digits(text: str) -> str:
    return _joined(text).translate(_DIGITS_FOR)


def _whole(pattern: re.Pattern[str], text: str) -> str:
    return text if pattern.fullmatch(text) else ""


def _day(year: str, month: str, day: str) -> str:
    sensible = 1 <= int(month) <= 12 and 1 <= int(day) <= 31
    return f"{year}.{month}.{day}" if sensible else ""
