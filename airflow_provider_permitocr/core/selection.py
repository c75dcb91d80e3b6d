"""Which images of the list are worth a call."""

from __future__ import annotations

from airflow_provider_permitocr.core.models import ListedImage, Previous, Status


def needs_recognition(listed: ListedImage, previous: Previous | None) -> bool:
    """Tell whether an image is new, has changed, or was given up for a while by an earlier run."""
    return previous is None or previous.status is Status.RETRY or _has_changed(listed, previous)


def tries_before(listed: ListedImage, previous: Previous | None) -> int:
    """Return how many runs have tried this version of the image; a changed image starts anew."""
    return 0 if previous is None or _has_changed(listed, previous) else previous.tries


def _has_changed(listed: ListedImage, previous: Previous) -> bool:
    if listed.updated_at is None or previous.seen_at is None:
        return False
    return listed.updated_at > previous.seen_at
