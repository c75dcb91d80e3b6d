"""Which settled images to recognize again, as a DAG author writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final

from airflow_provider_permitocr.options.readable import Readable, is_template
from airflow_provider_permitocr.permit.status import Status

_CRITERIA: Final = ("statuses", "error_codes", "keys")
_STATUSES: Final = tuple(status.value for status in (Status.RECOGNIZED, Status.REJECTED, Status.FAILED))


@dataclass(frozen=True, kw_only=True, repr=False)
class Redo(Readable):
    """Images to recognize again, one paid call each.

    An image is redone if it meets every given criterion. An empty criterion, such as a template that renders
    to nothing, matches no image. The old answer stays in force until there is a new one; an identical
    image's answer is not reused.

    :param statuses: the status in force: ``recognized``, ``rejected`` or ``failed``.
    :param error_codes: of the result in force.
    :param keys: keys of images.
    :param before: only images whose last call came before this time; ISO 8601 or a template. By default
        before this DAG run first started. Required in a DAG with a schedule: otherwise each run would pay for
        the same images again.

    Each list may be a comma-separated text, or a template that renders to one.
    """

    template_fields: ClassVar[tuple[str, ...]] = (*_CRITERIA, "before")

    statuses: Sequence[str] | str | None = None
    error_codes: Sequence[str] | str | None = None
    keys: Sequence[str] | str | None = None
    before: str | datetime | None = None

    def __post_init__(self) -> None:
        for name in _CRITERIA:
            object.__setattr__(self, name, _listed(getattr(self, name)))
        if all(getattr(self, name) is None for name in (*_CRITERIA, "before")):
            raise ValueError("Redo: select images by statuses, error_codes, keys or before")
        given = () if is_template(self.statuses) else self.wanted_statuses or ()
        unknown = [each for each in given if each not in _STATUSES and not is_template(each)]
        if unknown:
            raise ValueError(
                f"Redo: statuses must be of {', '.join(_STATUSES)}, not {unknown[0]!r}; images with status"
                " retry are tried again anyway"
            )
        if not is_template(self.before):
            _ = self.moment

    @property
    def wanted_statuses(self) -> tuple[str, ...] | None:
        """The statuses; None: any."""
        return self.statuses  # type: ignore[return-value]

    @property
    def wanted_codes(self) -> tuple[str, ...] | None:
        """The error codes; None: any."""
        return self.error_codes  # type: ignore[return-value]

    @property
    def wanted_keys(self) -> tuple[str, ...] | None:
        """The keys; None: any."""
        return self.keys  # type: ignore[return-value]

    @property
    def is_met_by_none(self) -> bool:
        """Whether a criterion is given that is empty."""
        return any(getattr(self, name) == () for name in _CRITERIA) or self.before == ""

    @property
    def moment(self) -> datetime | None:
        """``before`` as a time in UTC; a time without a zone is taken as UTC.

        :raises ValueError: when it is not a time.
        """
        if not self.before:
            return None
        try:
            moment = self.before if isinstance(self.before, datetime) else datetime.fromisoformat(self.before)
            # Not every database gets the zone.
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            raise ValueError(
                f"Redo: before must be a time such as 2026-01-31T00:00:00+00:00, not {self.before!r}"
            ) from None


def _listed(given: Sequence[str] | str | None) -> Sequence[str] | str | None:
    if given is None or is_template(given):
        return given  # it is rendered first
    parts = [part.strip() for part in given.split(",")] if isinstance(given, str) else map(str, given)
    return tuple(part for part in parts if part)
