"""Answers of cards of every generation, as the API would give them, flattened; the numbers are invented."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from airflow_provider_permitocr.permit.answers import flatten
from airflow_provider_permitocr.permit.api import BACK_FIELD, CardSide
from airflow_provider_permitocr.permit.columns import Record, Value
from airflow_provider_permitocr.permit.quality.examination import Examination
from airflow_provider_permitocr.permit.quality.flags import Flag

#: A day within the validity of all cards here.
DAY: Final = date(2020, 6, 15)
OLD: Final = "公安部出入境管理局"
NEW: Final = "中华人民共和国出入境管理局"
TAIWAN_TYPE: Final = "台湾居民来往大陆通行证"
RESIDENTS_TYPE: Final = "港澳居民来往内地通行证"
EXIT_ENTRY_TYPE: Final = "往来港澳通行证"

_PERSON: Final = {"Name": "李优图", "EnglishName": "LI,YOU-TU", "Sex": "男", "Birthday": "1986.03.02"}


def front(**fields: str) -> Record:
    """Return the answer of a front; what is not named is as on a Taiwan card."""
    names = {
        "Type": TAIWAN_TYPE,
        "Number": "08320271",
        "ValidDate": "2016.02.03-2021.02.02",
        "IssueAuthority": OLD,
        "IssueAddress": "广东",
        "IssueNumber": "02",
        "Nationality": "",
    }
    answered = _PERSON | names | fields
    return flatten({**answered, BACK_FIELD: {"Type": answered["Type"]}})


def residents_front(**fields: str) -> Record:
    """Return the answer of the front of a permit for Hong Kong and Macao residents."""
    names = {
        "Type": RESIDENTS_TYPE,
        "Number": "H12345678",
        "ValidDate": "2014.04.10-2024.04.09",
        "IssueAddress": "",
        "IssueNumber": "01",
    }
    return front(**(names | fields))


def non_chinese_front(**fields: str) -> Record:
    """Return the answer of the front of a permit for non-Chinese residents."""
    names = {
        "Number": "HA1234567",
        "Name": "",
        "EnglishName": "PEREIRA,ANNA MARIA",
        "Nationality": "葡萄牙",
        "ValidDate": "2024.07.10-2029.07.09",
        "IssueAuthority": NEW,
    }
    return residents_front(**(names | fields))


def exit_entry_front(**fields: str) -> Record:
    """Return the answer of the front of an exit-entry permit."""
    names = {
        "Type": EXIT_ENTRY_TYPE,
        "Number": "CA1234567",
        "ValidDate": "2019.05.06-2029.05.05",
        "IssueAuthority": NEW,
        "IssueNumber": "",
    }
    return front(**(names | fields))


def residents_back(**fields: str) -> Record:
    """Return the answer of the back of a permit for Hong Kong and Macao residents."""
    answered = {
        "Type": RESIDENTS_TYPE,
        "Name": "李优图",
        "IDNumber": "A123456(3)",
        "HistoryNumber": "",
    } | fields
    return flatten({"Type": answered["Type"], BACK_FIELD: answered})


def flags_of(
    record: Record,
    side: CardSide = CardSide.FRONT,
    day: date = DAY,
    *,
    examination: Examination = Examination(),
    size: tuple[int | None, int | None] = (None, None),
    typed: Mapping[str, Value] | None = None,
) -> list[Flag]:
    """Return the flags of one answer."""
    width, height = size
    return list(examination.flags(record, side, day=day, width=width, height=height, declared=typed))
