"""Waiting for a database that is busy or away: by time, as answers that are paid for wait too."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.sql.error_codes import may_pass
from airflow_provider_permitocr.sql.errors import describe

T = TypeVar("T")

#: A server that restarts, or hands over to another, is back within half a minute as a rule, and within two
#: where it has much to recover.
PATIENCE_SECONDS: Final = 120.0
_AT_FIRST_SECONDS: Final = 10.0
_FIRST_WAIT_SECONDS: Final = 0.5
_LONGEST_WAIT_SECONDS: Final = 5.0
_log = logging.getLogger(__name__)


def wait_out(
    do: Callable[[], T],
    *,
    doing: str,
    stop: threading.Event | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] | None = None,
) -> T:
    """Do something again while a lock, a deadlock, a lost connection or a restarting server prevents it.

    It must do no harm when it is done twice, as nobody knows whether what was cut off has been done.

    :param doing: what is being done, for the log, e.g. ``reading the image list``; holds no values.
    :param stop: once set, there is one more try and no more waiting.
    :param patience_seconds: how long to go on after the first failure; 0: there is one try.
    :param clock: monotonic seconds.
    :param sleep: takes seconds; by default until then or until ``stop`` is set.
    :return: what it returns.
    :raises SQLAlchemyError: the last one, when patience is at its end; the first that would not pass.
    """
    sleep = sleep or (stop.wait if stop else time.sleep)
    failed_at: float | None = None
    longest = _FIRST_WAIT_SECONDS
    is_last = False
    while True:
        try:
            done = do()
        except SQLAlchemyError as error:
            if is_last or not may_pass(error):
                raise
            now = clock()
            is_first, failed_at = failed_at is None, now if failed_at is None else failed_at
            left = failed_at + patience_seconds - now
            if left <= 0:
                raise
            if is_first:
                _log.warning(
                    "%s failed: %s; trying again for %.0f s at most", doing, describe(error), patience_seconds
                )
        else:
            if failed_at is not None:
                _log.info("%s went on after %.1f s", doing, clock() - failed_at)
            return done
        # Jittered, so that two tasks that got into each other's way do not do so again.
        sleep(min(left, longest * random.uniform(0.5, 1)))  # noqa: S311
        longest = min(2 * longest, _LONGEST_WAIT_SECONDS)
        is_last = stop is not None and stop.is_set()


class Read(Protocol):
    """Reads over a connection that is opened for it, again where that is cut off."""

    def __call__(self, read: Callable[[sa.Connection], T], /) -> T: ...


@dataclass(frozen=True)
class Patience:
    """How long a run waits for its databases.

    :param seconds: how long to go on after the first failure.
    :param stop: once set, there is one more try and no more waiting.
    :param clock: monotonic seconds.
    :param sleep: takes seconds; by default until then or until ``stop`` is set.
    """

    seconds: float = PATIENCE_SECONDS
    stop: threading.Event | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] | None = None

    def at_first(self) -> Patience:
        """Return how long to wait for a database that has not answered in this run yet.

        Nothing is lost by giving up then, and a wrong password should be reported soon.
        """
        return replace(self, seconds=min(self.seconds, _AT_FIRST_SECONDS))

    def read(self, engine: sa.Engine, read: Callable[[sa.Connection], T], doing: str) -> T:
        """Read over a connection, again from the start where that is cut off.

        :raises SQLAlchemyError: as ``wait_out``.
        """

        def read_once() -> T:
            with engine.connect() as connection:
                return read(connection)

        return self.wait_out(read_once, doing)

    def wait_out(self, do: Callable[[], T], doing: str) -> T:
        """Do something again while the database is busy or away; see ``wait_out``.

        :raises SQLAlchemyError: when patience is at its end, or it would not help.
        """
        return wait_out(
            do,
            doing=doing,
            stop=self.stop,
            patience_seconds=self.seconds,
            clock=self.clock,
            sleep=self.sleep,
        )
