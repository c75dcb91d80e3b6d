"""What is examined of an answer, and how the result's columns say so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record, Value
from airflow_provider_permitocr.permit.quality.declared import is_comparable
from airflow_provider_permitocr.permit.quality.examination import Examination
from airflow_provider_permitocr.permit.quality.flags import DECLARED_FLAGS, DOUBTS, Flag
from airflow_provider_permitocr.permit.quality.variants import load_converters
from airflow_provider_permitocr.permit.replacement import looks_replaced

#: Where the documents are issued: by its days they expire.
DEFAULT_ZONE: Final = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Subject:
    """The image that an answer is about.

    :param seen_at: when the answer came; whether a document has expired is judged by that day.
    :param width: of the image, in pixels; None: unknown.
    :param height: of the image, in pixels; None: unknown.
    :param carried: columns that are copied from the image list, before any privacy policy; days may be text
        in ISO form.
    """

    card_side: CardSide
    seen_at: datetime
    width: int | None = None
    height: int | None = None
    carried: Mapping[str, Value] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Assessment:
    """What is examined.

    :param zone: whose day decides.
    :param declared: copied columns that hold what the applicant has said, by fact: number, name, english_name
        and birthday.
    """

    examination: Examination = Examination()
    zone: tzinfo = ZoneInfo(DEFAULT_ZONE)
    declared: Mapping[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Load what comparisons need: once an answer is there, it is paid for.

        :raises ConfigurationError: naming what to install.
        """
        if "name" in self.declared:
            load_converters()

    def columns(self, record: Record, subject: Subject) -> Record:
        """Return the columns ``quality_flags``, ``is_doubtful``, ``is_expired`` and ``declared_differs``.

        :param record: columns of an answer, before any privacy policy.
        """
        copied = {fact: subject.carried.get(column) for fact, column in self.declared.items()}
        # A policy that came after the answer has hidden what was typed since.
        declared = {fact: None if looks_replaced(typed) else typed for fact, typed in copied.items()}
        day = subject.seen_at.astimezone(self.zone).date()
        flags = self.examination.flags(
            record,
            subject.card_side,
            day=day,
            width=subject.width,
            height=subject.height,
            declared=declared,
            zone=self.zone,
        )
        differs = not DECLARED_FLAGS.isdisjoint(flags)
        return {
            "quality_flags": _as_json(flags),
            "is_doubtful": not DOUBTS.isdisjoint(flags),
            "is_expired": _is_expired(record, day),
            "declared_differs": differs if is_comparable(record, declared) else None,
        }


def _is_expired(record: Record, day: date) -> bool | None:
    """Return whether a document has expired, even where that flag is skipped."""
    first, last = record.get("valid_from"), record.get("valid_until")
    return None if first is None else isinstance(last, date) and last < day


# Most answers share a few sets of flags.
@lru_cache(maxsize=1024)
def _as_json(flags: tuple[Flag, ...]) -> str:
    return json.dumps([flag.value for flag in flags])
