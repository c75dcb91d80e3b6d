"""Which images of the list are worth a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, NamedTuple

from airflow_provider_permitocr.engine.cycle_collector import no_cycles
from airflow_provider_permitocr.engine.ledger.ports import KnownImages
from airflow_provider_permitocr.engine.ledger.standing import has_changed
from airflow_provider_permitocr.engine.models import ImageRow, ListedImage, Previous
from airflow_provider_permitocr.engine.ports import ImageSource
from airflow_provider_permitocr.permit.status import UNSETTLED, Status


class Wanted(NamedTuple):
    """Why a row needs a call.

    :param tries: earlier runs that have tried this version of the image.
    :param is_redone: it was requested again.
    """

    tries: int = 0
    is_redone: bool = False


_NEW: Final = Wanted()


def wanted_rows(
    source: ImageSource,
    known: KnownImages,
    *,
    is_over: Callable[[], bool],
    skip: Callable[[int], None],
    reject: Callable[[ListedImage, str], None],
    before_images: Callable[[], object] = lambda: None,
) -> Iterator[ImageRow | None]:
    """Stream the rows that need a call, with their images; None announces that the next may take a while.

    :param is_over: whether to stop.
    :param skip: receives the number of skipped rows, as they are skipped.
    :param reject: receives each row whose key the ledger cannot store, and why.
    :param before_images: called before the first image of a page is fetched.
    """
    for wanted in wanted_pages(source, known, is_over=is_over, skip=skip, reject=reject):
        if wanted:
            before_images()
        yield from fetched_rows(source, wanted, is_over=is_over, skip=skip)
        # Pages of settled rows may follow for long, and answers should not wait for their end.
        yield None


def fetched_rows(
    source: ImageSource,
    wanted: Mapping[ListedImage, Wanted],
    *,
    is_over: Callable[[], bool],
    skip: Callable[[int], None],
) -> Iterator[ImageRow]:
    """Fetch the images of rows, together with the state that earlier runs left.

    :param skip: receives the number of rows that are no longer in the list.
    """
    left = {listed.row_key: (listed, why) for listed, why in wanted.items()}
    for row in source.images(list(wanted)):
        if is_over():
            return
        listed, why = left.pop(row.row_key)
        yield replace(row, tries=why.tries, is_redone=why.is_redone, source_key=listed.source_key)
    skip(len(left))


def wanted_pages(
    source: ImageSource,
    known: KnownImages,
    *,
    is_over: Callable[[], bool],
    skip: Callable[[int], None],
    reject: Callable[[ListedImage, str], None],
) -> Iterator[Mapping[ListedImage, Wanted]]:
    """Stream the rows that need a call without their images, page by page.

    :param is_over: whether to stop.
    :param skip: receives the number of skipped rows, as they are skipped.
    :param reject: receives each row whose key the ledger cannot store, and why.
    """
    for page in source.pages():
        if is_over():
            return
        kept = _without_faults(page, known, reject)
        with no_cycles():
            wanted = still_wanted(kept, known)
        skip(len(kept) - len(wanted))
        yield wanted


def _without_faults(
    page: Sequence[ListedImage], known: KnownImages, reject: Callable[[ListedImage, str], None]
) -> Sequence[ListedImage]:
    faults = {
        place: fault for place, listed in enumerate(page) if (fault := known.key_fault(listed.image_key))
    }
    for place, fault in faults.items():
        reject(page[place], fault)
    return [listed for place, listed in enumerate(page) if place not in faults] if faults else page


def still_wanted(listed: Sequence[ListedImage], known: KnownImages) -> Mapping[ListedImage, Wanted]:
    """Return the rows that need a call."""
    keys = [each.row_key for each in listed]
    # Asked once for each of what may be a million rows.
    before = known.previous(keys)
    return {
        each: _why(each, previous)
        for each, key in zip(listed, keys, strict=True)
        if is_wanted(each.updated_at, previous := before.get(key))
    }


def is_wanted(updated_at: datetime | None, previous: Previous | None) -> bool:
    """Return whether an image is new, has changed, or was left or requested again by an earlier run.

    :param updated_at: when it last changed, from the list.
    """
    return previous is None or previous.status in UNSETTLED or has_changed(updated_at, previous.seen_at)


def _why(listed: ListedImage, previous: Previous | None) -> Wanted:
    if previous is None:
        return _NEW
    # A changed image starts again.
    tries = 0 if has_changed(listed.updated_at, previous.seen_at) else previous.tries
    return Wanted(tries, previous.status is Status.REDO)
