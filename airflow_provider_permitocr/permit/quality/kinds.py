"""Which permit an answer is about, and its holder's gender, in codes that do not depend on the language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final, Literal

from airflow_provider_permitocr.permit.columns import Value


class PermitKind(StrEnum):
    """A permit as a person holds it; two kinds share one of the API's document types."""

    TAIWAN = "taiwan"
    HONG_KONG_MACAO = "hong_kong_macao"
    HONG_KONG_MACAO_NON_CHINESE = "hong_kong_macao_non_chinese"
    EXIT_ENTRY = "exit_entry"


#: Both are printed as permits for Hong Kong and Macao residents.
RESIDENTS: Final = frozenset({PermitKind.HONG_KONG_MACAO, PermitKind.HONG_KONG_MACAO_NON_CHINESE})
_NUMBER, _LONGEST_TYPE = 9, 200
_NON_CHINESE_NUMBER: Final = re.compile(r"[HM]A[0-9]{7}")
_BLANKS: Final = re.compile(r"[\W_]+")
_SIMPLIFIED: Final = str.maketrans("臺灣來內陸證國門籍", "台湾来内陆证国门籍")
#: In Chinese as the service prints them, in English as the API page names them. Words are enough: the
#: site's language is not documented. Mainland residents' permits for Taiwan hold none of them.
_WORDS: Final = (
    ("台湾居民", PermitKind.TAIWAN),
    ("taiwanresidents", PermitKind.TAIWAN),
    ("往来港澳", PermitKind.EXIT_ENTRY),
    ("exitentrypermitfortravellingtoandfromhongkong", PermitKind.EXIT_ENTRY),
    ("exitentrypermitfortravelingtoandfromhongkong", PermitKind.EXIT_ENTRY),
    ("港澳居民", PermitKind.HONG_KONG_MACAO),
    ("hongkongandmacaoresidents", PermitKind.HONG_KONG_MACAO),
    ("hongkongandmacauresidents", PermitKind.HONG_KONG_MACAO),
)
#: How the title of cards that are issued since 2024-07-10 ends (NIA notice of 2024-07-01).
_NON_CHINESE_WORDS: Final = ("非中国籍", "nonchinese")
_MALE: Final = frozenset({"男", "m", "male", "男m", "男male"})
_FEMALE: Final = frozenset({"女", "f", "female", "女f", "女female"})


def permit_kind(record: Mapping[str, Value]) -> PermitKind | None:
    """Return which permit an answer is about.

    Its type decides, as read on either side. Cards for non-Chinese residents are known by their title or by
    numbers that begin with HA or MA: the API names no type of their own.

    :param record: of one side, before any privacy policy.
    :return: None where the type is unknown, or was not read.
    """
    printed = record.get("type") or record.get("back_type")
    kind = _kind_of_type(printed) if isinstance(printed, str) else None
    if kind is PermitKind.HONG_KONG_MACAO or printed is None:
        number = record.get("number")
        # As printed, compared without a pattern where it cannot match: this runs for every row.
        if isinstance(number, str) and number[1:2] == "A" and _is_non_chinese(number):
            return PermitKind.HONG_KONG_MACAO_NON_CHINESE
    return kind


@lru_cache(maxsize=256)
def sex_code(text: str | None) -> Literal["M", "F"] | None:
    """Return the code of a printed gender, such as ``男``, ``F`` or ``男/M``; None for anything else."""
    word = _plain(text or "")
    if word in _MALE:
        return "M"
    return "F" if word in _FEMALE else None


def _is_non_chinese(number: str) -> bool:
    return len(number) == _NUMBER and _NON_CHINESE_NUMBER.fullmatch(number) is not None


@lru_cache(maxsize=256)
def _kind_of_type(printed: str) -> PermitKind | None:
    title = _plain(printed)
    for words, kind in _WORDS:
        if words in title:
            is_non_chinese = kind in RESIDENTS and any(each in title for each in _NON_CHINESE_WORDS)
            return PermitKind.HONG_KONG_MACAO_NON_CHINESE if is_non_chinese else kind
    return None


def _plain(text: str) -> str:
    """Return letters and digits alone, without differences of width, case and, for titles, script."""
    short = unicodedata.normalize("NFKC", text[:_LONGEST_TYPE]).casefold()
    return _BLANKS.sub("", short).translate(_SIMPLIFIED)
