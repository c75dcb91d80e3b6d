"""All rows of a run through threads: its own window, then what earlier runs have left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Final

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.call.outcomes import to_attempt
from airflow_provider_permitocr.engine.call.row import Recognizer
from airflow_provider_permitocr.engine.delivery.deliveries import Deliveries
from airflow_provider_permitocr.engine.key_text import shown_key
from airflow_provider_permitocr.engine.ledger.call_ledger import CallLedger
from airflow_provider_permitocr.engine.ledger.calls import LEDGER_REFUSES_KEY
from airflow_provider_permitocr.engine.models import ImageRow, Left, ListedImage, Outcome
from airflow_provider_permitocr.engine.ports import ImageSource, Ports
from airflow_provider_permitocr.engine.run.failure_breaker import FailureWatch
from airflow_provider_permitocr.engine.run.hand_over import HandOver
from airflow_provider_permitocr.engine.run.parts import (
    Part,
    left_parts,
    ordered_parts,
    own_part,
    unsettled_images,
)
from airflow_provider_permitocr.engine.run.progress import Log, Progress
from airflow_provider_permitocr.engine.run.selection import fetched_rows, still_wanted, wanted_rows
from airflow_provider_permitocr.engine.run.tally import Tally
from airflow_provider_permitocr.engine.run.window import Leftovers
from airflow_provider_permitocr.errors import TooManyFailuresError
from airflow_provider_permitocr.options.run import RunOptions
from airflow_provider_permitocr.permit.status import Status

#: How long to leave rows to another run that calls for them, before looking at them again.
_ELSEWHERE_SECONDS: Final = 5.0
#: How many keys that the ledger cannot store, and how many runs, are shown.
_MOST_SHOWN: Final = 10


class ListRun:
    """Takes every row that needs it to its outcome, and counts the outcomes.

    :param stop: set it to end early; calls in flight are closed first.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        ports: Ports,
        options: RunOptions,
        calls: CallLedger,
        deliveries: Deliveries,
        *,
        log: Log,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._ledger, self._options = ports.source, ports.ledger, options
        self._calls, self._deliveries = calls, deliveries
        self._log, self._stop, self._clock = log, stop, clock
        self.hand_over: HandOver[ImageRow, Outcome] = HandOver(
            self._recognize_row, left_behind=lambda: self.recognizer.reading
        )
        self.recognizer = Recognizer(
            ports.request_builder,
            ports.client,
            options,
            stop,
            ledger=calls,
            answers=ports.ledger,
            reading=ports.reading,
            observers=ports.observers,
            lock=self.hand_over.lock,
            clock=clock,
        )
        self.tally = Tally(self.hand_over.lock, ports.observers)
        self.parts: list[Part] = []
        self.leftovers = Leftovers()
        self.skipped = self.settled_elsewhere = self.taken_up = 0
        self._failures = FailureWatch(options.failure_limits)
        #: Images that fail in every run would otherwise keep each run from its own images.
        self._left_failures = FailureWatch(options.failure_limits)
        self._do_left_fail = False
        #: Rows counted so far, and how many of them earlier runs had settled.
        self.total = self.settled_before = self._unread = 0
        self._is_own = True
        self._reading: ImageSource = ports.source
        self._held: list[tuple[ImageSource, ListedImage]] = []

    @property
    def rows_left(self) -> int:
        """How many rows were not dealt with, at most."""
        return max(0, self.total - self.settled_before - self.tally.done)

    @property
    def unread(self) -> int:
        """Images of earlier runs that this run could not list."""
        return self.leftovers.unread + self._unread

    @property
    def is_own_whole(self) -> bool:
        """Whether every row of the run's own window was dealt with."""
        own = [part.is_whole for part in self.parts if part.is_own and not part.is_given_up]
        return not self._held and bool(own) and all(own)

    @property
    def whole_parts(self) -> list[Part]:
        """What was dealt with to its last row."""
        return [] if self._held else [part for part in self.parts if part.is_whole]

    def recognize(self, listed: int) -> None:
        """Process this run's own window, then what earlier runs have left.

        :param listed: rows of its own window.
        """
        self._progress = Progress(self._log, clock=self._clock)
        is_taking_up = self._options.leftovers
        self.leftovers = self._ledger.leftovers() if is_taking_up else Leftovers()
        self._say_unread()
        own = own_part(self._source, listed, self.leftovers)
        if self._source.is_ordered and is_taking_up:
            found = next(Part(self._source, is_taken_up=True).readable(self._unsettled()), ())
            parts = ordered_parts(own, self.leftovers, found)
        else:
            parts = chain([own], left_parts(own, self.leftovers))
        for part in parts:
            if part.is_own or not self._do_left_fail:
                self._recognize_part(part)
            if self._is_over():
                break
        if is_taking_up or self._options.redo:
            self._recognize_unsettled()
        self._recognize_held()
        self._calls.flush()

    def _say_unread(self) -> None:
        if self.leftovers.unread:
            runs = ", ".join(self.leftovers.unread_runs[:_MOST_SHOWN])
            self._log.info(
                f"{many(self.leftovers.unread, 'image')} of earlier runs cannot be listed again, because"
                f" their query has templates or changes over time; clear these runs: {runs}"
            )

    def _recognize_part(self, part: Part) -> None:
        self.parts.append(part)
        self._calls.flush()  # record earlier findings, so that they are not repeated
        settled = part.source.settled()
        self._is_own = part.is_own
        self._expect(part.source, part.listed)
        self._skip(settled)
        pace = self._options.pace
        whose = "" if part.is_own else " left by earlier runs"
        # If the ledger is not in the list's database, each row is looked up when its turn comes.
        known = f", {settled:,} of them settled before" if settled else ""
        self._log.info(
            f"{many(part.listed, 'image')} listed{whose}{known}; at most {pace.max_per_second:g} requests per"
            f" second, {pace.at_once} at once"
        )
        done = self.tally.done
        if settled < part.listed:
            rows = wanted_rows(
                part.source,
                self._ledger,
                is_over=lambda: self._is_over() or part.is_given_up,
                skip=self._skip,
                reject=self._reject,
                before_images=self._deliveries.import_frame,
            )
            self._stream(part.readable(rows), part)
        part.is_whole = not (self._is_over() or part.is_given_up)
        if not part.is_own:
            self.taken_up += self.tally.done - done

    def _unsettled(self, unread: Callable[[int], object] = lambda _: None) -> Iterator[Sequence[ListedImage]]:
        return unsettled_images(
            self._source,
            self._ledger,
            only_redone=not self._options.leftovers,
            is_over=lambda: self._is_over() or self._do_left_fail,
            note=self._calls.note,
            unread=unread,
        )

    def _count_unread(self, images: int) -> None:
        self._unread += images

    def _recognize_unsettled(self) -> None:
        """Retry images that earlier runs could not settle, whatever window they are in."""
        self._calls.flush()
        self._is_own = False
        done = self.tally.done
        everywhere = self._source.within([])
        for found in Part(everywhere, is_taken_up=True).readable(self._unsettled(self._count_unread)):
            wanted = still_wanted(found, self._ledger)
            if wanted:
                self._log.info(f"Trying {many(len(wanted), 'image')} of earlier runs again")
                self._expect(everywhere, len(wanted))
                self._deliveries.import_frame()
                part = Part(everywhere, is_taken_up=True)
                rows = fetched_rows(
                    everywhere,
                    wanted,
                    is_over=lambda: self._is_over() or self._do_left_fail,
                    skip=self._skip,
                )
                self._stream(part.readable(rows), part)
        self.taken_up += self.tally.done - done

    def _recognize_held(self) -> None:
        """Check again only the images that other runs were calling for."""
        reported = 0
        while self._held and not self._is_over():
            self._calls.flush()
            held, self._held = self._held, []
            for source in dict.fromkeys(source for source, _ in held):
                self._reading = source
                self._stream(self._free_rows(source, [listed for each, listed in held if each is source]))
            if not self._held or self._is_over():
                return
            if len(self._held) != reported:
                reported = len(self._held)
                self._log.info(
                    f"{many(reported, 'image is', 'images are')} held by another run's calls; checking again"
                )
            self._stop.wait(_ELSEWHERE_SECONDS)

    def _free_rows(self, source: ImageSource, held: Sequence[ListedImage]) -> Iterator[ImageRow]:
        """Resume images that other runs were calling for, if those runs did not settle them."""
        wanted = still_wanted(held, self._ledger)
        self.settled_elsewhere += len(held) - len(wanted)
        still_held = self._ledger.held([listed.row_key for listed in wanted])
        self._held += [(source, listed) for listed in wanted if listed.row_key in still_held]
        free = {listed: why for listed, why in wanted.items() if listed.row_key not in still_held}
        return fetched_rows(source, free, is_over=self._is_over, skip=self._skip)

    def _stream(self, rows: Iterator[ImageRow | None], part: Part | None = None) -> None:
        stream = self.hand_over.results(
            rows, max_in_flight=lambda: self.recognizer.rows_wanted, stop=self._stop
        )
        try:
            for outcomes in stream:
                self._calls.raise_if_failed()
                if self._stop.is_set():  # the reason is raised once nothing is in flight
                    continue
                self._watch(outcomes, part)
                self._deliveries.notice(len(outcomes))
                self._progress.processed(len(outcomes), failed=self.tally.failed)
        finally:
            stream.close()

    def _watch(self, outcomes: Sequence[Outcome], part: Part | None) -> None:
        if part is None or not part.is_taken_up:
            self._failures.add(outcomes)
            return
        try:
            self._left_failures.add(outcomes)
        except TooManyFailuresError:
            self._do_left_fail = True
            part.give_up(
                f"stays unfinished: too many of its images fail, the last with {outcomes[-1].error_code}"
            )

    def _recognize_row(self, row: ImageRow) -> Outcome | None:
        outcome = self.recognizer.recognize(row)
        if isinstance(outcome, Left):
            if outcome is Left.HELD:
                self._held.append((self._reading, row.listed))
            with self.hand_over.lock:
                self.settled_elsewhere += outcome is Left.SETTLED
            return None
        attempt = to_attempt(outcome, max_runs=self._options.max_runs_per_image)
        self.tally.add(attempt, outcome.flags)
        has_own_answer = outcome.status is Status.RECOGNIZED and outcome.reused_from is None
        if not has_own_answer and outcome.error_code != LEDGER_REFUSES_KEY:
            self._calls.note(attempt)
        return outcome

    def _is_over(self) -> bool:
        return self._stop.is_set() or self._calls.cap is not None

    def _expect(self, source: ImageSource, rows: int) -> None:
        self._reading = source
        self.total += rows
        self._progress.expect(rows)

    def _skip(self, rows: int) -> None:
        self.settled_before += rows
        self.skipped += rows if self._is_own else 0
        self._progress.skipped(rows)

    def _reject(self, listed: ListedImage, fault: str) -> None:
        self.tally.reject(LEDGER_REFUSES_KEY)
        self._progress.processed(1, failed=self.tally.failed)
        if self.tally.error_codes[LEDGER_REFUSES_KEY] <= _MOST_SHOWN:
            self._log.info(f"The key {shown_key(listed.image_key)} is rejected before any call: {fault}")
