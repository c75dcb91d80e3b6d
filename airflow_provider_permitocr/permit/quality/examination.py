"""The examination of one answer: which flags its fields raise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, timedelta, tzinfo
from functools import cached_property
from typing import Final

from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Value
from airflow_provider_permitocr.permit.quality.consistency import (
    add_consistency_flags,
    add_missing_flags,
    add_nationality_flags,
    shows_other_side,
)
from airflow_provider_permitocr.permit.quality.declared import add_declared_flags
from airflow_provider_permitocr.permit.quality.flags import Flag
from airflow_provider_permitocr.permit.quality.kinds import permit_kind
from airflow_provider_permitocr.permit.quality.numbers import identity_flag, number_flag
from airflow_provider_permitocr.permit.quality.validity import add_date_flags

_WARNINGS: Final = (
    ("warn_photocopy", Flag.WARN_PHOTOCOPY),
    ("warn_recapture", Flag.WARN_RECAPTURE),
    ("warn_photoshopped", Flag.WARN_PHOTOSHOPPED),
)
#: A card is 85.6 mm wide (ISO/IEC 7810, ID-1), its text 2 mm high. Below 5 pixels a millimeter that is fewer
#: than 10 pixels.
_SHORTEST: Final = 400
#: Photos of phones are 4:3 to 21:9, either way up; a card by itself is 1.59:1, and squares are cut by chats.
_LONGEST_SHAPE: Final = 2.5
_ORDER: Final = {flag: place for place, flag in enumerate(Flag)}
#: How a Fernet token begins: each is another, if of the same text (github.com/fernet/spec).
TOKEN_PREFIX: Final = "gAAAA"  # noqa: S105 (no secret)


@dataclass(frozen=True)
class Examination:
    """The options of the rules.

    :param expires_within_days: a card that expires within so many days is flagged ``expires_soon``.
    :param skip: flags that are not raised.
    """

    expires_within_days: int = 90
    skip: frozenset[Flag] = frozenset()

    def flags(
        self,
        record: Mapping[str, Value],
        side: CardSide,
        *,
        day: date,
        width: int | None = None,
        height: int | None = None,
        declared: Mapping[str, Value] | None = None,
        zone: tzinfo = UTC,
    ) -> tuple[Flag, ...]:
        """Return what is remarkable about one answer, in the order of ``Flag``.

        :param record: the columns of the answer before any privacy policy: a hidden value would be missing.
        :param side: that was asked for.
        :param day: on which the card is examined, where it is used.
        :param width: of the image, in pixels; None where only the API saw it.
        :param height: of the image, in pixels.
        :param declared: what the applicant typed, by ``number``, ``name``, ``english_name`` and ``birthday``,
            as copied from the list. None, '' and what cannot be read are not compared.
        :param zone: whose midnight a birthday may be that the list keeps as a moment.
        :raises ConfigurationError: if names are to be compared in Chinese, and OpenCC is not installed.
        """
        found: list[Flag] = []
        kind = permit_kind(record)
        number, identity = record.get("number"), record.get("back_id_number")
        of_number = number_flag(number, kind) if isinstance(number, str) and kind is not None else None
        if of_number is not None:
            found.append(of_number)
        if isinstance(identity, str) and (of_identity := identity_flag(identity)) is not None:
            found.append(of_identity)
        add_date_flags(found, record, kind, day, self._soon)
        add_consistency_flags(found, record, kind)
        if shows_other_side(record, side):
            # What the side that was asked for lacks, the other one explains.
            found.append(Flag.SIDE_MISMATCH)
        else:
            if side is CardSide.FRONT:
                add_nationality_flags(found, record, kind)
            add_missing_flags(found, record, side, kind, is_legacy=of_number is Flag.NUMBER_LEGACY)
        _add_image_flags(found, record, width, height)
        if declared:
            add_declared_flags(found, record, declared, zone)
        if self.skip:
            found = [flag for flag in found if flag not in self.skip]
        return tuple(sorted(found, key=_ORDER.__getitem__) if len(found) > 1 else found)

    @cached_property
    def _soon(self) -> timedelta:
        return timedelta(days=self.expires_within_days)


def _add_image_flags(
    found: list[Flag], record: Mapping[str, Value], width: int | None, height: int | None
) -> None:
    for name, flag in _WARNINGS:
        if record.get(name):
            found.append(flag)
    if width and height:
        shorter, longer = (width, height) if width < height else (height, width)
        if longer < _SHORTEST:
            found.append(Flag.IMAGE_SMALL)
        if longer > shorter * _LONGEST_SHAPE:
            found.append(Flag.IMAGE_SHAPE)
