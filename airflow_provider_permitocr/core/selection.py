"""Which images of the list are worth a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from airflow_provider_permitocr.core.models import ImageRow, ListedImage, Previous, Status
from airflow_provider_permitocr.core.ports import ImageSource, KnownResults


def wanted_rows(
    source: ImageSource,
    results: KnownResults,
    *,
    is_over: Callable[[], bool],
    skip: Callable[[int], None],
    before_images: Callable[[], object] = lambda: None,
) -> Iterator[ImageRow | None]:
    """Stream the rows that need a call, with their images; a None says that the next may take a while.

    :param is_over: tells that no further row is wanted.
    :param skip: is told how many rows are left out, as it goes.
    :param before_images: called before the first image of a page is fetched.
    """
    for wanted in wanted_pages(source, results, is_over=is_over, skip=skip):
        if wanted:
            before_images()
        tries = {listed.row_key: number for listed, number in wanted.items()}
        for row in source.images(list(wanted)):
            if is_over():
                return
            yield replace(row, tries=tries.pop(row.row_key))
        skip(len(tries))  # no longer in the list
        # Pages of settled rows may follow for long, and answers should not wait for their end.
        yield None


def wanted_pages(
    source: ImageSource,
    results: KnownResults,
    *,
    is_over: Callable[[], bool],
    skip: Callable[[int], None],
) -> Iterator[Mapping[ListedImage, int]]:
    """Stream the rows that need a call without their images, with the number of runs that have tried them.

    :param is_over: tells that no further page is wanted.
    :param skip: is told how many rows are left out, as it goes.
    """
    for page in source.pages():
        if is_over():
            return
        previous = results.previous([listed.row_key for listed in page])
        wanted = {
            listed: tries_before(listed, previous.get(listed.row_key))
            for listed in page
            if needs_recognition(listed, previous.get(listed.row_key))
        }
        skip(len(page) - len(wanted))
        yield wanted


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
