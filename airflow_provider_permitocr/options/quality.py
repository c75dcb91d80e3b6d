"""Quality flags: which are raised, and which columns fields are compared with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from zoneinfo import ZoneInfo

from airflow_provider_permitocr.options.readable import Readable
from airflow_provider_permitocr.options.validation import (
    MOST_DAYS,
    check,
    instance_of,
    listed,
    optional,
    text,
    time_zone,
    whole,
)
from airflow_provider_permitocr.permit.quality.assessment import DEFAULT_ZONE, Assessment
from airflow_provider_permitocr.permit.quality.examination import Examination
from airflow_provider_permitocr.permit.quality.flags import OF_READINGS, Flag


@dataclass(frozen=True, kw_only=True, repr=False)
class Declared(Readable):
    """Columns of ``carry_columns`` with the applicant's own statements, by their names in the result.

    A document that differs gets a flag and ``declared_differs``. Width, case, blanks, and traditional and
    simplified characters are ignored.

    :param number: document number.
    :param name: name in Chinese. Needs the extra ``declared``.
    :param english_name: name in English.
    :param birthday: date of birth, as a date or as text such as 1986-03-02.
    :raises ValueError: naming the option.
    """

    number: str | None = None
    name: str | None = None
    english_name: str | None = None
    birthday: str | None = None

    def __post_init__(self) -> None:
        check(self, **{each.name: optional(text("the name of a copied column")) for each in fields(self)})
        if not self.columns:
            raise ValueError("Declared: name at least one column, such as number='claimed_no'")

    @property
    def columns(self) -> dict[str, str]:
        """The copied column of each fact that is compared."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        return {fact: column for fact, column in given.items() if column is not None}


@dataclass(frozen=True, kw_only=True, repr=False)
class Quality(Readable):
    """Which flags ``quality_flags`` may get. Flags change no value and reject no row.

    :param expires_within_days: documents that expire within this many days, up to 36,500, get the flag
        ``expires_soon``.
    :param timezone: the time zone whose date decides whether a document has expired.
    :param skip: flags that are never raised, such as ``number_legacy``.
    :param declared: copied columns to compare with.
    :raises ValueError: naming the option.
    """

    expires_within_days: int = 90
    timezone: str = DEFAULT_ZONE
    skip: Sequence[Flag | str] = ()
    declared: Declared | None = None

    def __post_init__(self) -> None:
        check(
            self,
            expires_within_days=whole(0, MOST_DAYS),
            timezone=time_zone(),
            skip=listed("flags"),
            declared=optional(instance_of(Declared)),
        )
        object.__setattr__(self, "skip", tuple(_flag(each) for each in self.skip))

    @property
    def declared_columns(self) -> dict[str, str]:
        """The copied column of each fact that is compared."""
        return self.declared.columns if self.declared else {}

    @property
    def assessment(self) -> Assessment:
        """What is examined of answers."""
        skipped = frozenset(Flag(each) for each in self.skip)
        examination = Examination(expires_within_days=self.expires_within_days, skip=skipped)
        return Assessment(examination, ZoneInfo(self.timezone), self.declared_columns)

    def require_carried(self, names: Collection[str]) -> None:
        """Make sure that all columns that are compared are copied.

        :param names: of the copied columns, in the result.
        :raises ValueError: naming the column.
        """
        for fact, column in self.declared_columns.items():
            if column not in names:
                raise ValueError(
                    f"Declared: {fact}={column!r} is not copied; add it to carry_columns, which has"
                    f" {', '.join(names) or 'none'}"
                )

    def require_own_answers(self, *, is_protected: bool, reuse_identical: bool) -> None:
        """Refuse to compare values that a policy hides before another image can reuse them.

        :raises ValueError: saying what to change.
        """
        if self.declared and is_protected and reuse_identical:
            raise ValueError(
                "Declared: with privacy= the answer of an identical image is hidden already and cannot be"
                " compared; leave out reuse_identical, declared or privacy"
            )


def _flag(given: Flag | str) -> Flag:
    if given not in OF_READINGS:
        raise ValueError(
            f"Quality: skip names {given!r}, which is not a flag of a reading; it may name"
            f" {', '.join(OF_READINGS)}"
        )
    return Flag(given)
