"""Which images of the list are worth a call."""

from __future__ import annotations

from airflow_provider_permitocr.core.models import ImageRow, Previous, Status


def needs_recognition(row: ImageRow, previous: Previous | None) -> bool:
    """Tell whether a row is new, has changed, or was given up for a while by an earlier run."""
    return previous is None or previous.status is Status.RETRY or _has_changed(row, previous)


def tries_before(row: ImageRow, previous: Previous | None) -> int:
    """Return how many runs have tried this version of the image; a changed image starts anew."""
    return 0 if previous is None or _has_changed(row, previous) else previous.tries


def _has_changed(row: ImageRow, previous: Previous) -> bool:
    if row.updated_at is None or previous.seen_at is None:
        return False
    return row.updated_at > previous.seen_at
