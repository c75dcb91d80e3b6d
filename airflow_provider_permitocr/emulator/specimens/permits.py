"""Invented permits: everything a card prints, in the formats that real cards use.

Formats of numbers and terms of validity: MPS notices for Hong Kong, Macao and Taiwan cards, the
2018 NIA notice for exit-entry permits, the 2024 NIA notice for non-Chinese residents; counts and
authorities as in the API's full sample.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from airflow_provider_permitocr.emulator.specimens.kinds import PermitKind
from airflow_provider_permitocr.emulator.specimens.names import (
    Romanization,
    WrittenName,
    chinese_name,
    foreign_name,
)

_NATIONALITIES: Final = [
    "英国",
    "美国",
    "加拿大",
    "澳大利亚",
    "印度",
    "菲律宾",
    "法国",
    "葡萄牙",
    "尼泊尔",
    "巴基斯坦",
]
_PLACES: Final = {
    PermitKind.HONG_KONG_MACAO: ("广东", "香港", "澳门"),
    PermitKind.NON_CHINESE: ("广东", "香港", "澳门"),
    PermitKind.TAIWAN: ("广东", "福建", "上海", "北京", "浙江", "江苏"),
    PermitKind.EXIT_ENTRY: ("广东", "福建", "上海", "北京", "浙江", "四川", "湖北", "山东"),
}
_OLD_AUTHORITY: Final = "公安部出入境管理局"
_NEW_AUTHORITY: Final = "中华人民共和国出入境管理局"
_NEW_AUTHORITY_FROM: Final = date(2019, 4, 1)
_NON_CHINESE_FROM: Final = date(2024, 7, 10)
_FIRST_ISSUE: Final = date(2013, 1, 2)
_LAST_ISSUE: Final = date(2026, 6, 30)
_LETTER_SERIES_FROM: Final = date(2018, 12, 1)
#: Letters after the C in exit-entry numbers: none of them looks like a digit.
_SERIES_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(frozen=True)
class Person:
    """An invented person.

    :param id_number: Hong Kong or Macao identity card number, '' for others.
    :param nationality: in Chinese, '' where the permit prints none.
    """

    name: WrittenName
    sex: str
    birthday: date
    nationality: str
    id_number: str


@dataclass(frozen=True)
class Permit:
    """One invented permit; texts that its card does not print are ''.

    :param issue_number: how many cards the holder had, two digits from 01.
    :param history_number: number of the holder's former card.
    """

    kind: PermitKind
    person: Person
    number: str
    history_number: str
    valid_from: date
    valid_until: date
    issue_authority: str
    issue_address: str
    issue_number: str


def make_permit(kind: PermitKind, seed: int) -> Permit:
    """Invent a permit; the same kind and seed give the same one, so front and back belong together."""
    rng = random.Random(f"permit {kind} {seed}")  # noqa: S311 (no secret: it must repeat)
    valid_from = _between(rng, _NON_CHINESE_FROM if kind is PermitKind.NON_CHINESE else _FIRST_ISSUE)
    region = rng.choice("HHHM")
    person = make_person(kind, region, valid_from, rng)
    number = _number(kind, region, valid_from, rng)
    prints_count = kind is not PermitKind.EXIT_ENTRY
    count = rng.choice((1, 1, 2, 2, 3, 4)) if prints_count and kind is not PermitKind.NON_CHINESE else 1
    renewed = kind is PermitKind.HONG_KONG_MACAO and count > 1
    return Permit(
        kind=kind,
        person=person,
        number=number,
        # Cards of the 1999 series put a renewal count, from 00, behind the holder's number.
        history_number=f"{number}{count - 2:02d}" if renewed else "",
        valid_from=valid_from,
        valid_until=last_day(valid_from, _years(kind, person.birthday, valid_from)),
        issue_authority=_NEW_AUTHORITY if valid_from >= _NEW_AUTHORITY_FROM else _OLD_AUTHORITY,
        issue_address=rng.choice(_PLACES[kind]),
        issue_number=f"{count:02d}" if prints_count else "",
    )


def make_person(kind: PermitKind, region: str, alive_on: date, rng: random.Random) -> Person:
    """Invent a permit's holder.

    :param region: ``H`` for Hong Kong, ``M`` for Macao; matters to these residents' kinds only.
    :param alive_on: a day on which the person is at least one year old.
    """
    sex = rng.choice("男女")
    birthday = alive_on - timedelta(days=rng.randint(366, 78 * 365))
    resident = kind in (PermitKind.HONG_KONG_MACAO, PermitKind.NON_CHINESE)
    id_number = (hong_kong_id(rng) if region == "H" else macao_id(rng)) if resident else ""
    if kind is PermitKind.NON_CHINESE:
        return Person(foreign_name(rng, sex), sex, birthday, rng.choice(_NATIONALITIES), id_number)
    romanization = {
        PermitKind.HONG_KONG_MACAO: Romanization.CANTONESE,
        PermitKind.TAIWAN: Romanization.WADE_GILES,
    }.get(kind, Romanization.PINYIN)
    return Person(chinese_name(rng, sex, romanization), sex, birthday, "", id_number)


def hong_kong_id(rng: random.Random) -> str:
    """Invent a Hong Kong identity card number with its true check digit, e.g. ``A123456(3)``."""
    letter, digits = rng.choice("ABCDEGHKPRVYZ"), f"{rng.randint(0, 999_999):06d}"
    # The space before a single letter counts as 36, letters from A = 10 on, weights 9 to 2.
    values = [36, ord(letter) - 55, *map(int, digits)]
    rest = -sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True)) % 11
    return f"{letter}{digits}({'A' if rest == 10 else rest})"


def macao_id(rng: random.Random) -> str:
    """Invent a Macao identity card number, e.g. ``1234567(8)``; its check digit rule is not public."""
    return f"{rng.choice('157')}{rng.randint(0, 999_999):06d}({rng.randint(0, 9)})"


def last_day(start: date, years: int) -> date:
    """Last day of a term that begins on ``start``: the day before its anniversary."""
    if (start.month, start.day) == (2, 29):
        return date(start.year + years, 2, 28)
    return start.replace(year=start.year + years) - timedelta(days=1)


def _number(kind: PermitKind, region: str, valid_from: date, rng: random.Random) -> str:
    eight, seven = f"{rng.randint(0, 99_999_999):08d}", f"{rng.randint(1, 9_999_999):07d}"
    if kind is PermitKind.HONG_KONG_MACAO:
        return region + eight
    if kind is PermitKind.NON_CHINESE:
        return f"{region}A{seven}"
    if kind is PermitKind.TAIWAN:
        return eight
    return f"C{rng.choice(_SERIES_LETTERS)}{seven}" if valid_from >= _LETTER_SERIES_FROM else f"C{eight}"


def _years(kind: PermitKind, birthday: date, valid_from: date) -> int:
    """Terms: 10 years, 5 for the young (under 18; exit-entry: under 16); always 5 for two kinds."""
    if kind in (PermitKind.NON_CHINESE, PermitKind.TAIWAN):
        return 5
    before_birthday = (valid_from.month, valid_from.day) < (birthday.month, birthday.day)
    age = valid_from.year - birthday.year - before_birthday
    return 10 if age >= (16 if kind is PermitKind.EXIT_ENTRY else 18) else 5


def _between(rng: random.Random, first: date) -> date:
    return first + timedelta(days=rng.randint(0, (_LAST_ISSUE - first).days))
