"""Tells those who count or trace a run what happens in it: facts alone, no key and no value."""

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

    :param target: what the ledger calls the table.
    :param has_failed: the table could not be written to; it is tried again.
    """

    target: str
    rows: int
    seconds: float
    has_failed: bool = False


class RunObserver:
    """Is told of a run by any of its threads, so it must be quick; overrides what it wants to know."""

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
    """Tells several observers; none of them can fail a run or end another's reports."""

    def __init__(self, observers: Sequence[RunObserver] = ()) -> None:
        self._observers = observers
        self._complained: set[str] = set()

    def on_call(self, call: CallFacts) -> None:
        """Note a call."""
        self._tell(lambda observer: observer.on_call(call))

    def on_image(self, status: str) -> None:
        """Note an image that came to an end, by its status."""
        self._tell(lambda observer: observer.on_image(status))

    def on_delivery(self, delivery: DeliveryFacts) -> None:
        """Note a batch of rows."""
        self._tell(lambda observer: observer.on_delivery(delivery))

    def on_near_cap(self, near: NearCap) -> None:
        """Note that most calls of a cap are used."""
        self._tell(lambda observer: observer.on_near_cap(near))

    def on_end(self, summary: RunSummary) -> None:
        """Note the end of the run, early or not."""
        self._tell(lambda observer: observer.on_end(summary))

    def _tell(self, tell: Callable[[RunObserver], object]) -> None:
        for observer in self._observers:
            try:
                tell(observer)
            except Exception as error:  # noqa: BLE001  of any library
                self._complain(type(observer).__name__, error)

    def _complain(self, name: str, error: Exception) -> None:
        if name not in self._complained:
            self._complained.add(name)
            _log.warning("%s failed (%s); the run itself is not affected", name, type(error).__name__)


#: Of a run that nobody watches.
NOBODY = Observers()
