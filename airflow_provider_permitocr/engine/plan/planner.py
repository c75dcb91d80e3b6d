"""Determines what a run would do, without doing it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from airflow_provider_permitocr.engine.call.rate_limit import SPACING
from airflow_provider_permitocr.engine.ledger.calls import LEDGER_REFUSES_KEY
from airflow_provider_permitocr.engine.ledger.ports import LedgerView
from airflow_provider_permitocr.engine.models import ImageRow, ListedImage, UnfitImage
from airflow_provider_permitocr.engine.plan.plan import Plan
from airflow_provider_permitocr.engine.ports import ImageSource, RequestBuilder
from airflow_provider_permitocr.engine.run.hand_over import completed
from airflow_provider_permitocr.engine.run.parts import Part, left_parts, own_part, unsettled_images
from airflow_provider_permitocr.engine.run.progress import Log, LookingProgress
from airflow_provider_permitocr.engine.run.selection import (
    Wanted,
    fetched_rows,
    still_wanted,
    wanted_pages,
    wanted_rows,
)
from airflow_provider_permitocr.engine.run.window import Leftovers, Window
from airflow_provider_permitocr.errors import RunStoppedError
from airflow_provider_permitocr.options.lists.shard import Shard
from airflow_provider_permitocr.options.run import RunOptions
from airflow_provider_permitocr.permit.columns import Column, result_columns
from airflow_provider_permitocr.permit.privacy import Protection
from airflow_provider_permitocr.permit.status import Status

#: Images that are looked at, and in memory, at a time.
_AT_ONCE: Final = 16
#: Length of the digest that represents a picture: enough to distinguish billions of pictures.
_DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class _Seen:
    """The expected outcome of an image.

    :param status: without a call; None: it needs a call.
    :param picture: identifies copies, if the same picture is called for only once.
    :param is_unseen: only the API sees it, so its copies cannot be detected.
    """

    status: Status | None = None
    error_code: str = ""
    picture: bytes | None = None
    is_unseen: bool = False


class Planner:
    """Examines a list as a run would, without making calls or writing anything.

    With ``reuse_identical``, it uses about 100 bytes of memory for each different picture.

    :param look_at_tables: each makes sure, without changing anything, that a run can write these columns to
        one of its result tables; raises ``TargetError``.
    :param calls_left: returns how many calls the caps allow now; None without a cap.
    :param is_quick: don't open images: all that are not settled count as needing a call.
    :param protection: how answers would be protected.
    :param stop: set it to end the planning early.
    :param clock: monotonic seconds.
    """

    def __init__(  # noqa: PLR0913  it gets the same as a run
        self,
        source: ImageSource,
        request_builder: RequestBuilder,
        ledger: LedgerView,
        options: RunOptions,
        *,
        look_at_tables: Sequence[Callable[[Sequence[Column]], object]] = (),
        calls_left: Callable[[], int | None] = lambda: None,
        is_quick: bool = False,
        protection: Protection = Protection(),
        log: Log,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._request_builder, self._ledger = source, request_builder, ledger
        self._options, self._look_at_tables = options, look_at_tables
        self._calls_left, self._is_quick = calls_left, is_quick
        self._protection = protection
        self._log, self._stop, self._clock = log, stop, clock
        self._settled = self._to_call = self._same_picture = self._unseen = 0
        self._listed = self._left_over = 0
        self._rejected: Counter[str] = Counter()
        self._unavailable: Counter[str] = Counter()
        self._pictures: set[bytes] = set()

    def plan(self) -> Plan:
        """Look at the list, and at the images that are not settled.

        :raises SourceError, TargetError: as in a run before its first call.
        :raises RunStoppedError: when it was asked to stop.
        """
        listed = self._source.check()
        self._ledger.look(self._source.key_type())
        columns = self._protection.columns(result_columns(self._source.carried()))
        for look in self._look_at_tables:
            look(columns)
        self._progress = LookingProgress(self._log, clock=self._clock)
        leftovers = self._ledger.leftovers() if self._options.leftovers else Leftovers()
        own = own_part(self._source, listed, leftovers)
        for part in (own, *left_parts(own, leftovers)):
            self._look_through(part)
        if self._options.leftovers:
            self._look_at_unsettled(own, leftovers)
        redone = self._ledger.redone(self._options.redo) if self._options.redo else 0
        self._to_call += redone
        if self._stop.is_set():
            raise RunStoppedError("planning stopped before the whole list was read")
        return Plan(
            listed=listed,
            settled=self._settled,
            rejected=_most_first(self._rejected),
            unavailable=_most_first(self._unavailable),
            same_picture=self._same_picture,
            unseen=self._unseen,
            to_call=self._to_call,
            left_over=self._left_over,
            unread=leftovers.unread,
            redone=redone,
            seconds=self._to_call / (self._options.pace.max_per_second * SPACING),
            is_quick=self._is_quick,
            calls_left=self._calls_left(),
            price=self._options.budget.price,
        )

    def _look_through(self, part: Part) -> None:
        settled = part.source.settled()
        self._expect(part.listed, is_own=part.is_own)
        self._skip(settled)
        if settled < part.listed:
            self._count(self._wanted_pages(part.source)) if self._is_quick else self._look(part.source)

    def _look_at_unsettled(self, own: Part, leftovers: Leftovers) -> None:
        """Look at images that earlier runs could not settle, but for those that were looked at already."""
        everywhere = self._source.within([])
        read = [own.source.window, *(left.window for left in leftovers.runs)]
        pages = unsettled_images(
            self._source,
            self._ledger,
            only_redone=False,
            is_over=self._stop.is_set,
            note=lambda _: None,
        )
        for found in pages:
            rest = [each for each in found if not any(_is_within(each, window) for window in read)]
            wanted = still_wanted(rest, self._ledger)
            self._expect(len(wanted), is_own=False)
            if self._is_quick:
                self._count([wanted])
            else:
                rows = fetched_rows(everywhere, wanted, is_over=self._stop.is_set, skip=self._skip)
                self._look_at_rows(rows)

    def _wanted_pages(self, source: ImageSource) -> Iterator[Mapping[ListedImage, Wanted]]:
        return wanted_pages(
            source, self._ledger, is_over=self._stop.is_set, skip=self._skip, reject=self._reject
        )

    def _count(self, pages: Iterable[Mapping[ListedImage, Wanted]]) -> None:
        for wanted in pages:
            self._to_call += len(wanted)
            self._progress.processed(len(wanted), failed=0)

    def _look(self, source: ImageSource) -> None:
        self._look_at_rows(
            wanted_rows(source, self._ledger, is_over=self._stop.is_set, skip=self._skip, reject=self._reject)
        )

    def _look_at_rows(self, rows: Iterator[ImageRow | None]) -> None:
        stream = completed(self._look_at, rows, max_in_flight=lambda: _AT_ONCE, stop=self._stop)
        with closing(stream):
            for seen in stream:
                for each in seen:
                    self._add(each)
                self._progress.processed(len(seen), failed=0)

    def _expect(self, rows: int, *, is_own: bool) -> None:
        self._left_over += 0 if is_own else rows
        self._progress.expect(rows)

    def _look_at(self, row: ImageRow) -> _Seen:
        request = self._request_builder.build(row)
        if isinstance(request, UnfitImage):
            return _Seen(request.status, request.code)
        digest = request.facts.digest
        if row.is_redone or not self._options.reuse_identical:
            return _Seen()
        if digest is None:
            return _Seen(is_unseen=True)
        if self._ledger.find(digest, row.card_side):
            return _Seen(Status.RECOGNIZED)
        return _Seen(picture=bytes.fromhex(digest)[:_DIGEST_BYTES] + row.card_side.encode())

    def _add(self, seen: _Seen) -> None:
        if seen.status is Status.REJECTED:
            self._rejected[seen.error_code] += 1
        elif seen.status is Status.RETRY:
            self._unavailable[seen.error_code] += 1
        elif seen.status is Status.RECOGNIZED or seen.picture in self._pictures:
            self._same_picture += 1
        else:
            self._to_call += 1
            self._unseen += seen.is_unseen
            if seen.picture:
                self._pictures.add(seen.picture)

    def _skip(self, rows: int) -> None:
        self._settled += rows
        self._progress.skipped(rows)

    def _reject(self, _listed: ListedImage, _fault: str) -> None:
        self._rejected[LEDGER_REFUSES_KEY] += 1
        self._progress.processed(1, failed=0)


def _most_first(counts: Counter[str]) -> dict[str, int]:
    """Sort codes by number, then by name, because threads find them in any order."""
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def _is_within(listed: ListedImage, window: Window) -> bool:
    """Return whether a row was read with a window; without bounds, all of the list was."""
    if window.shard is not None and not Shard.parse(window.shard).holds(listed.image_key):
        return False
    if window.since is None and window.until is None:
        return True
    changed = listed.updated_at
    return (
        changed is not None
        and (window.since or changed) <= changed
        and (window.until is None or changed < window.until)
    )
