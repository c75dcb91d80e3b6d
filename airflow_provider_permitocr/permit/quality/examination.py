"""The examination of one answer: which flags its fields raise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record, Value
from airflow_provider_permitocr.permit.quality.flags import Flag


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
        record: Record,
        side: CardSide,
        *,
        day: date,
        width: int | None = None,
        height: int | None = None,
        declared: Mapping[str, Value] | None = None,
    ) -> tuple[Flag, ...]:
        """Return what is remarkable about one answer, in the order of ``Flag``.

        :param record: the columns of the answer before any privacy policy: a hidden value would be missing.
        :param side: that was asked for.
        :param day: on which the card is examined, where the card is used.
        :param width: of the image in pixels; None where only the API saw it.
        :param height: likewise.
        :param declared: what the applicant typed, by ``number``, ``name``, ``english_name`` and ``birthday``,
            as copied from the list; None and '' are not compared.
        """
        return ()


def document_flags(front: Record, back: Record) -> tuple[Flag, ...]:
    """Return what front and back disagree in."""
    return ()
