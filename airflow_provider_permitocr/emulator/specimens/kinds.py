"""The permits that can be drawn, and what the API makes of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from airflow_provider_permitocr.permit.api import CardSide, PermitType


class PermitKind(StrEnum):
    """A permit as a person holds it; two kinds share the API's ``PermitType.HONG_KONG_MACAO``."""

    HONG_KONG_MACAO = "hong_kong_macao"
    NON_CHINESE = "non_chinese"
    TAIWAN = "taiwan"
    EXIT_ENTRY = "exit_entry"


@dataclass(frozen=True)
class KindFacts:
    """What sets one kind apart.

    :param permit_type: the API's ``Type``.
    :param title: what the card prints as its English title.
    :param sides: sides that the API reads. It reads the back of mainland travel permits for
        Hong Kong and Macao residents only (API page, ``CardSide``).
    """

    permit_type: PermitType
    title: str
    sides: tuple[CardSide, ...]


_BOTH: Final = (CardSide.FRONT, CardSide.BACK)
_FRONT: Final = (CardSide.FRONT,)

KINDS: Final[dict[PermitKind, KindFacts]] = {
    PermitKind.HONG_KONG_MACAO: KindFacts(
        PermitType.HONG_KONG_MACAO, "Mainland Travel Permit for Hong Kong and Macao Residents", _BOTH
    ),
    PermitKind.NON_CHINESE: KindFacts(
        PermitType.HONG_KONG_MACAO,
        "Mainland Travel Permit for Hong Kong and Macao Residents (Non-Chinese Citizens)",
        _BOTH,
    ),
    PermitKind.TAIWAN: KindFacts(PermitType.TAIWAN, "Mainland Travel Permit for Taiwan Residents", _FRONT),
    PermitKind.EXIT_ENTRY: KindFacts(
        PermitType.EXIT_ENTRY,
        "Exit-Entry Permit for Travelling to and from Hong Kong and Macao",
        _FRONT,
    ),
}

#: Every picture that the API reads.
DRAWABLE: Final = tuple((kind, side) for kind, facts in KINDS.items() for side in facts.sides)
