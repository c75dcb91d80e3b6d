"""Fields against each other, and fields that every card of a kind has."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from enum import StrEnum, auto
from functools import lru_cache
from typing import Final

from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Value
from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.permit.quality.kinds import RESIDENTS, PermitKind, sex_code

#: Without type and name, which the API may answer for either side: its full sample of a front has the type
#: of the back as well.
_FRONT_ONLY: Final = ("number", "valid_date", "birthday_raw", "english_name", "sex")
_BACK_ONLY: Final = ("back_id_number", "back_name", "back_history_number")

_ALWAYS: Final = (
    ("sex", Flag.MISSING_SEX),
    ("birthday_raw", Flag.MISSING_BIRTHDAY),
    ("number", Flag.MISSING_NUMBER),
    ("valid_date", Flag.MISSING_VALIDITY),
)
_NAME: Final = ("name", Flag.MISSING_NAME)
_ENGLISH_NAME: Final = ("english_name", Flag.MISSING_ENGLISH_NAME)
_AUTHORITY: Final = ("issue_authority", Flag.MISSING_ISSUE_AUTHORITY)
_ADDRESS: Final = ("issue_address", Flag.MISSING_ISSUE_ADDRESS)
_COUNT: Final = ("issue_number", Flag.MISSING_ISSUE_NUMBER)
#: What the front of each kind has, on cards of today's generation. Taiwan: all of it (the API's full sample).
#: Hong Kong and Macao: a count (Aliyun's document 442262), a place of issue is not documented. Non-Chinese
#: residents: a count, no place, and the Chinese name of those who have one on the back (wsb.changzhou.gov.cn,
#: 2024-07-01). Exit-entry: no count.
_FRONT: Final = {
    PermitKind.TAIWAN: (_NAME, _ENGLISH_NAME, *_ALWAYS, _AUTHORITY, _ADDRESS, _COUNT),
    PermitKind.HONG_KONG_MACAO: (_NAME, _ENGLISH_NAME, *_ALWAYS, _AUTHORITY, _COUNT),
    PermitKind.HONG_KONG_MACAO_NON_CHINESE: (_ENGLISH_NAME, *_ALWAYS, _AUTHORITY, _COUNT),
    PermitKind.EXIT_ENTRY: (_NAME, _ENGLISH_NAME, *_ALWAYS, _AUTHORITY, _ADDRESS),
}
#: On earlier generations the count is part of the number, and the English name was not sure to be printed.
_NOT_ON_LEGACY: Final = frozenset({"issue_number", "english_name"})

_LATIN: Final = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
#: ``LI,YOU-TU`` in the API's full sample. Doc 9303 part 3 lets the visual zone have apostrophes, hyphens and
#: national characters. One who has a single name has no comma.
_ENGLISH: Final = re.compile(rf"[{_LATIN}][{_LATIN} ,\uff0c.'\u2018\u2019`()/-]*[{_LATIN}.)]", re.UNICODE)
_DIGIT: Final = re.compile(r"\d")
_NOT_A_WORD: Final = re.compile(r"[\W_]+")
_CHINESE: Final = ("中国", "中华人民共和国", "中國", "china", "chinese", "chn", "香港", "澳门", "台湾")
_LONGEST: Final = 200

#: Of the National Immigration Administration. Cards name it since 2019 (Wikipedia); for how long cards with
#: the former name were issued beside them is not known, hence the second day.
_FOUNDED: Final = date(2018, 4, 2)
_TAKEN_OVER: Final = date(2020, 1, 1)


class _Authority(StrEnum):
    OLD = auto()
    NEW = auto()


def shows_other_side(record: Mapping[str, Value], side: CardSide) -> bool:
    """Return whether an answer has fields of the other side, and none of the side that was asked for."""
    own, others = (_FRONT_ONLY, _BACK_ONLY) if side is CardSide.FRONT else (_BACK_ONLY, _FRONT_ONLY)
    return _has(record, others) and not _has(record, own)


def _has(record: Mapping[str, Value], names: tuple[str, ...]) -> bool:
    for name in names:  # noqa: SIM110 (a generator takes twice the time, and this runs for every row)
        if record.get(name):
            return True
    return False


def add_consistency_flags(found: list[Flag], record: Mapping[str, Value], kind: PermitKind | None) -> None:
    """Add which fields contradict each other, or have values that no card prints."""
    if kind is None and (record.get("type") or record.get("back_type")):
        found.append(Flag.TYPE_UNKNOWN)
    authority, first = record.get("issue_authority"), record.get("valid_from")
    if isinstance(authority, str) and isinstance(first, date) and not _could_issue(authority, first):
        found.append(Flag.AUTHORITY_FOR_DATE)
    for name in (record.get("name"), record.get("back_name")):
        if isinstance(name, str) and (len(name) == 1 or _DIGIT.search(name)):
            found.append(Flag.NAME_FORM)
            break
    english = record.get("english_name")
    if isinstance(english, str) and not _ENGLISH.fullmatch(english):
        found.append(Flag.ENGLISH_NAME_FORM)
    sex = record.get("sex")
    if isinstance(sex, str) and sex_code(sex) is None:
        found.append(Flag.SEX_VALUE)


def add_nationality_flags(found: list[Flag], record: Mapping[str, Value], kind: PermitKind | None) -> None:
    """Add that a front lacks a foreign nationality, or should have none."""
    nationality = record.get("nationality")
    is_foreign = isinstance(nationality, str) and not _is_chinese(nationality)
    if kind is PermitKind.HONG_KONG_MACAO_NON_CHINESE:
        if not is_foreign:
            found.append(Flag.NATIONALITY_MISSING)
    elif is_foreign and kind is not None:
        found.append(Flag.NATIONALITY_UNEXPECTED)


def add_missing_flags(
    found: list[Flag],
    record: Mapping[str, Value],
    side: CardSide,
    kind: PermitKind | None,
    *,
    is_legacy: bool,
) -> None:
    """Add which fields were not read that each card of the kind has.

    :param is_legacy: whether the number is of an earlier generation.
    """
    if not (record.get("type") or record.get("back_type")):
        found.append(Flag.MISSING_TYPE)
    if side is CardSide.FRONT:
        for name, flag in _FRONT[kind] if kind is not None else _ALWAYS:
            if not record.get(name) and not (is_legacy and name in _NOT_ON_LEGACY):
                found.append(flag)
    elif kind in RESIDENTS and not record.get("back_id_number"):
        found.append(Flag.MISSING_BACK_ID_NUMBER)


def _could_issue(authority: str, first: date) -> bool:
    if _FOUNDED <= first < _TAKEN_OVER:
        return True
    return _authority(authority) is not (_Authority.OLD if first >= _TAKEN_OVER else _Authority.NEW)


@lru_cache(maxsize=256)
def _authority(printed: str) -> _Authority | None:
    """Return which of the two national authorities this is; None for any other, such as a province's."""
    name = _plain(printed)
    if "公安部" in name or "ministryofpublicsecurity" in name or name.startswith("mps"):
        return _Authority.OLD
    is_new = any(each in name for each in ("移民管理局", "中华人民共和国出入境管理局", "nationalimmigration"))
    return _Authority.NEW if is_new else None


@lru_cache(maxsize=256)
def _is_chinese(nationality: str) -> bool:
    name = _plain(nationality)
    return any(each in name for each in _CHINESE)


def _plain(text: str) -> str:
    return _NOT_A_WORD.sub("", unicodedata.normalize("NFKC", text[:_LONGEST]).casefold())
