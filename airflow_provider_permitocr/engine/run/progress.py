"""Progress in the log: done of total, rate, time left. Only counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol

_LONGEST_SECONDS: Final = 60.0
_PART_OF_RUN: Final = 0.05
#: Fewer rows are too few to estimate how long the rest will take.
_FEWEST_ROWS: Final = 20


class Log(Protocol):
    """What is asked of a logger: the standard library's and Airflow's both have it."""

    def info(self, event: str) -> object:
        """Log one line."""
        ...


class Progress:
    """Logs a line every few seconds at first, and every minute once a run is long.

    :param every_seconds: shortest time between two lines.
    """

    def __init__(
        self,
        log: Log,
        *,
        every_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = 0
        self._log = log
        self._every_seconds = every_seconds
        self._clock = clock
        self._started_at = clock()
        self._logged_at = clock()
        self._skipped = 0
        self._processed = 0
        self._failed = 0
        self._logged_done = 0

    def expect(self, rows: int) -> None:
        """Count rows to do."""
        self._total += rows

    def skipped(self, rows: int) -> None:
        """Count rows that an earlier run had settled."""
        self._skipped += rows
        self._log_if_due()

    def processed(self, rows: int, failed: int) -> None:
        """Count rows of this run; ``failed`` is their number without fields so far."""
        self._processed += rows
        self._failed = failed
        self._log_if_due()

    def _log_if_due(self) -> None:
        now = self._clock()
        # A run of ten minutes and one of a day should both fit into a log that people read.
        part_of_run = min(_LONGEST_SECONDS, _PART_OF_RUN * (now - self._started_at))
        # While a run waits, for example for another's calls, a line every few seconds says nothing new.
        pause = _LONGEST_SECONDS if self._is_waiting else max(self._every_seconds, part_of_run)
        if now - self._logged_at >= pause:
            self._log.info(self._line(now))
            self._logged_at, self._logged_done = now, self._skipped + self._processed

    @property
    def _is_waiting(self) -> bool:
        """Whether nothing was done since the last line."""
        return 0 < self._logged_done == self._skipped + self._processed

    def _line(self, now: float) -> str:
        done = self._skipped + self._processed
        share = done / self._total if self._total else 1.0
        return f"{done:,} of {self._total:,} images {self._what_became(share)}; {self._speed(now, done)}"

    def _what_became(self, share: float) -> str:
        return f"done ({share:.1%}), {self._skipped:,} of them earlier, {self._failed:,} without fields"

    def _speed(self, now: float, done: int) -> str:
        rate = self._processed / (now - self._started_at) if now > self._started_at else 0.0
        # The time of the first few rows is mostly start-up.
        is_known = rate and not self._is_waiting and (self._processed >= _FEWEST_ROWS or done >= self._total)
        left = timedelta(seconds=round(max(0, self._total - done) / rate)) if is_known else "unknown time"
        return f"{rate:.1f} images/s, {left} left"


class LookingProgress(Progress):
    """The same for a plan, which examines a list's images without calls."""

    def _what_became(self, share: float) -> str:
        return f"looked at ({share:.1%}), {self._skipped:,} of them settled"
