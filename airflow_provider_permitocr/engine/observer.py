"""Notifies monitoring of what happens in a run: facts only, no keys and no values."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.run.summary import RunSummary
    from airflow_provider_permitocr.options.budget import NearCap

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CallFacts:
    """A call that was sent, and is over.

    :param seconds: from sending it to its answer.
    :param code: ``OK``, or the error's.
    :param billed: None if unknown.
    """

    seconds: float
    code: str
    billed: bool | None
    is_throttled: bool = False


@dataclass(frozen=True, slots=True)
class DeliveryFacts:
    """Rows that were delivered to a table in one batch.

    :param target: the ledger's name for the table.
    :param has_failed: the table could not be written to; it is tried again.
    """

    target: str
    rows: int
    seconds: float
    has_failed: bool = False


class RunObserver:
    """Notified by any of a run's threads, so it must be quick. Subclasses override what they need."""

    def on_call(self, call: CallFacts) -> None:
        """Note a call."""

    def on_image(self, status: str) -> None:
        """Note an image that came to an end, by its status."""

    def on_delivery(self, delivery: DeliveryFacts) -> None:
        """Note a batch of rows."""

    def on_near_cap(self, near: NearCap) -> None:
        """Note that most calls of a cap are used; once a day or run, over all tasks that share the ledger."""

    def on_end(self, summary: RunSummary) -> None:
        """Note the end of the run, early or not."""


class Observers:
    """Notifies several observers; none of them can fail a run or prevent another's notification."""

    def __init__(self, observers: Sequence[RunObserver] = ()) -> None:
        self._observers = observers
        self._warned_about: set[str] = set()

    def on_call(self, call: CallFacts) -> None:
        """Note a call."""
        self._notify(lambda observer: observer.on_call(call))

    def on_image(self, status: str) -> None:
        """Note an image that came to an end, by its status."""
        self._notify(lambda observer: observer.on_image(status))

    def on_delivery(self, delivery: DeliveryFacts) -> None:
        """Note a batch of rows."""
        self._notify(lambda observer: observer.on_delivery(delivery))

    def on_near_cap(self, near: NearCap) -> None:
        """Note that most calls of a cap are used."""
        self._notify(lambda observer: observer.on_near_cap(near))

    def on_end(self, summary: RunSummary) -> None:
        """Note the end of the run, early or not."""
        self._notify(lambda observer: observer.on_end(summary))

    def _notify(self, notify: Callable[[RunObserver], object]) -> None:
        for observer in self._observers:
            try:
                notify(observer)
            except Exception as error:  # noqa: BLE001  of any library
                self._warn_once(type(observer).__name__, error)

    def _warn_once(self, name: str, error: Exception) -> None:
        if name not in self._warned_about:
            self._warned_about.add(name)
            _log.warning("%s failed (%s); the run itself is not affected", name, type(error).__name__)


#: For a run without observers.
NOBODY = Observers()
