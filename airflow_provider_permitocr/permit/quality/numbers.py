"""How the numbers on permits are built.

Sources: Hong Kong and Macao, MPS notice of 2010-03-10 (lhoil.com/law/law_view.asp?id=324224) for 8 digits and
2 of renewal, Aliyun's document 442262 for 8 digits with the count apart; non-Chinese residents, notices of
2024-07 (wsb.changzhou.gov.cn, ctshk.com); Taiwan, 8 digits since 2008-09-25, 8 and 2 and a code before
(ncdzx.com/sy/rdxw/200809/t20080912_742862.htm); exit-entry, C and 8 digits, since 2018-12 a letter other than
I and O for the first of them (NIA notice), W and 8 digits in booklets.
"""

from __future__ import annotations

import re
import unicodedata
from operator import mul
from typing import Final

from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.permit.quality.kinds import PermitKind

_TODAY: Final = {
    PermitKind.TAIWAN: re.compile(r"[0-9]{8}"),
    PermitKind.HONG_KONG_MACAO: re.compile(r"[HM][0-9]{8}"),
    PermitKind.HONG_KONG_MACAO_NON_CHINESE: re.compile(r"[HM]A[0-9]{7}"),
    PermitKind.EXIT_ENTRY: re.compile(r"C[0-9A-HJ-NP-Z][0-9]{7}|W[0-9]{8}"),
}
#: With the count of renewals as their end; the group is the holder's own for life.
_LEGACY: Final = {
    PermitKind.TAIWAN: re.compile(r"([0-9]{8})[0-9]{2}(?:\([A-Z]{1,2}\)|[A-Z]{1,2})?"),
    PermitKind.HONG_KONG_MACAO: re.compile(r"([HM][0-9]{8})[0-9]{2}"),
}
#: Passes for one journey have 10 to 12 letters and digits. Nothing official says so: the rule is generous.
_ONE_JOURNEY: Final = re.compile(r"(?=[0-9]*[A-Z])[A-Z0-9]{10,12}")
_BLANKS: Final = re.compile(r"\s+")
_NOT_OF_IDENTITY: Final = re.compile(r"[\s()/.-]+")
_HONG_KONG: Final = re.compile(r"([A-Z]{1,2})([0-9]{6})\(?([0-9A])\)?")
#: How they begin, and their length: github.com/identique/idnumbers, idnumbers/nationalid/mac. The rule of the
#: check digit is not public.
_MACAO: Final = re.compile(r"[01578][0-9]{7}")
_LETTERS_FROM, _NO_LETTER, _MODULUS, _TEN = 55, 36, 11, 10
_WEIGHTS: Final = range(9, 1, -1)


def number_flag(number: str, kind: PermitKind) -> Flag | None:
    """Return what is remarkable about a document's number.

    Blanks and full-width characters are differences of print, and no reason for a flag.
    """
    if _TODAY[kind].fullmatch(number):
        return None
    compact = _compact(number)
    if _TODAY[kind].fullmatch(compact):
        return None
    if kind in _LEGACY and _LEGACY[kind].fullmatch(compact):
        return Flag.NUMBER_LEGACY
    if kind is PermitKind.TAIWAN and _ONE_JOURNEY.fullmatch(compact):
        return None
    forms = (*_TODAY.values(), *_LEGACY.values())
    is_of_other = any(form.fullmatch(compact) for form in forms)
    return Flag.NUMBER_FOR_OTHER_TYPE if is_of_other else Flag.NUMBER_FORMAT


def is_for_one_journey(number: str | None, kind: PermitKind) -> bool:
    """Return whether this is the number of a pass that has no term of years."""
    return (
        kind is PermitKind.TAIWAN
        and number is not None
        and len(number) > len("12345678")
        and _LEGACY[kind].fullmatch(_compact(number)) is None
        and _ONE_JOURNEY.fullmatch(_compact(number)) is not None
    )


def holders_number(number: str) -> str:
    """Return a number without its count of renewals: what stays the holder's own for life."""
    for form in _LEGACY.values():
        if match := form.fullmatch(number):
            return match[1]
    return number


def identity_flag(number: str) -> Flag | None:
    """Return what is wrong with a Hong Kong or Macao identity number, such as ``A123456(3)``.

    The sum of all characters times their weights, 9 to 2 and 1 for the check digit, is a multiple of 11.
    Letters count from A = 10, a missing first letter as 36
    (github.com/identique/idnumbers, idnumbers/nationalid/hkg).
    """
    match = _HONG_KONG.fullmatch(number)
    if match is None:
        compact = _NOT_OF_IDENTITY.sub("", unicodedata.normalize("NFKC", number))
        if _MACAO.fullmatch(compact):
            return None
        match = _HONG_KONG.fullmatch(compact)
    if match is None:
        return Flag.BACK_ID_FORMAT
    letters, digits, check = match.groups()
    values = [ord(letter) - _LETTERS_FROM for letter in letters]
    if len(values) == 1:
        values.insert(0, _NO_LETTER)
    values += map(int, digits)
    total = sum(map(mul, values, _WEIGHTS)) + (_TEN if check == "A" else int(check))
    return Flag.BACK_ID_CHECKSUM if total % _MODULUS else None


def _compact(number: str) -> str:
    return _BLANKS.sub("", unicodedata.normalize("NFKC", number))
