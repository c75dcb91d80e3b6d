"""Wait for a busy or unreachable database, up to a time limit, because paid answers wait too."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

import sqlalchemy as sa
import tenacity
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.sql.database.failures import describe, is_transient

T = TypeVar("T")

#: A server that restarts or fails over is usually back within 30 seconds, or within two minutes if it has
#: a lot to recover.
PATIENCE_SECONDS: Final = 120.0
_AT_FIRST_SECONDS: Final = 10.0
_BRIEFLY_SECONDS: Final = 5.0
_FIRST_WAIT_SECONDS: Final = 0.1
_LONGEST_WAIT_SECONDS: Final = 5.0
_log = logging.getLogger(__name__)


class Read(Protocol):
    """Run reads, each over a connection of its own, and repeat them if the connection is lost."""

    def __call__(self, read: Callable[[sa.Connection], T], /) -> T: ...


@dataclass(frozen=True)
class Patience:
    """How long a run waits for its databases.

    :param seconds: how long to go on after the first failure; 0: there is one try.
    :param stop: once set, there is one more try and no more waiting.
    :param clock: monotonic seconds.
    :param sleep: takes seconds; by default until then or until ``stop`` is set.
    """

    seconds: float = PATIENCE_SECONDS
    stop: threading.Event | None = None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] | None = None

    def at_first(self) -> Patience:
        """Return how long to wait for a database that has not answered yet in this run.

        Giving up early loses nothing at that point, and reports a wrong password sooner.
        """
        return replace(self, seconds=min(self.seconds, _AT_FIRST_SECONDS))

    def at_least_briefly(self) -> Patience:
        """Return how long to wait for a lock that is repeatedly released for readers."""
        return replace(self, seconds=max(self.seconds, _BRIEFLY_SECONDS))

    def briefly(self) -> Patience:
        """Return how long to wait for short operations, such as another task's schema changes."""
        return replace(self, seconds=_BRIEFLY_SECONDS)

    def read(self, engine: sa.Engine, read: Callable[[sa.Connection], T], doing: str) -> T:
        """Run a read over a connection; restart it from the beginning if the connection is lost.

        :raises SQLAlchemyError: as ``wait_out``.
        """

        def read_once() -> T:
            with engine.connect() as connection:
                return read(connection)

        return self.wait_out(read_once, doing)

    def write(
        self,
        engine: sa.Engine,
        write: Callable[[sa.Connection], T],
        doing: str,
        *,
        or_when: Callable[[Exception], bool] = lambda _: False,
    ) -> T:
        """Run a transaction, which may be done twice.

        :param or_when: as for ``wait_out``.
        :raises SQLAlchemyError: as ``wait_out``.
        """

        def write_once() -> T:
            with engine.begin() as connection:
                return write(connection)

        return self.wait_out(write_once, doing, or_when=or_when)

    def wait_out(
        self, do: Callable[[], T], doing: str, *, or_when: Callable[[Exception], bool] = lambda _: False
    ) -> T:
        """Retry an operation while a lock, a deadlock, a lost connection or a restarting server prevents it.

        The operation must be idempotent: after a lost connection, it's unknown whether it took effect.

        :param doing: the operation, for the log, e.g. ``reading the image list``; without values.
        :param or_when: returns whether another error is transient, too.
        :return: what the operation returns.
        :raises SQLAlchemyError: the last error when patience runs out, or the first that isn't transient.
        """
        tries = _Tries(self, doing)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: _may_pass(error, or_when)),
            stop=tries.are_over,
            wait=tries.next_wait,
            before_sleep=tries.log_retry,
            sleep=tries.wait,
            reraise=True,
        )
        done = retrying(do)
        tries.log_end()
        return done


#: For short operations.
BRIEFLY: Final = Patience(_BRIEFLY_SECONDS)


class _Tries:
    """The tries of one operation: how long to continue after the first failure, and what to log."""

    def __init__(self, patience: Patience, doing: str) -> None:
        self._patience, self._doing = patience, doing
        self._failed_at: float | None = None
        self._is_last = False

    def are_over(self, _state: tenacity.RetryCallState) -> bool:
        """Return, after a failure, whether to stop trying."""
        return self._is_last or self._left <= 0

    def wait(self, seconds: float) -> None:
        """Wait, and record whether a stop was requested meanwhile."""
        stop = self._patience.stop
        sleep = self._patience.sleep or (stop.wait if stop else time.sleep)
        sleep(seconds)
        self._is_last = stop is not None and stop.is_set()

    def next_wait(self, state: tenacity.RetryCallState) -> float:
        """Return how many seconds to wait; the wait doubles with each try up to a limit.

        Random jitter keeps two tasks that blocked each other from colliding again.
        """
        doubled = _FIRST_WAIT_SECONDS * 2.0 ** min(state.attempt_number - 1, 10)
        longest = min(doubled, _LONGEST_WAIT_SECONDS)
        return min(self._left, longest * random.uniform(0.5, 1))  # noqa: S311

    def log_retry(self, state: tenacity.RetryCallState) -> None:
        """Log the first retry."""
        failed = state.outcome and state.outcome.exception()
        if state.attempt_number == 1 and isinstance(failed, Exception):
            _log.log(
                logging.WARNING if is_transient(failed) else logging.INFO,
                "%s failed: %s; retrying for up to %.0f s",
                self._doing,
                describe(failed),
                self._patience.seconds,
            )

    def log_end(self) -> None:
        """Log that the operation succeeded, if it had to wait."""
        if self._failed_at is not None:
            _log.info("%s continued after %.1f s", self._doing, self._patience.clock() - self._failed_at)

    @property
    def _left(self) -> float:
        now = self._patience.clock()
        if self._failed_at is None:
            self._failed_at = now
        return self._failed_at + self._patience.seconds - now


def _may_pass(error: BaseException, or_when: Callable[[Exception], bool]) -> bool:
    return isinstance(error, SQLAlchemyError) and (is_transient(error) or or_when(error))
