"""Writes calls down before they are made, and what became of them afterwards: for many threads at once."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from airflow_provider_permitocr.core.calls import NOT_SENT, CallIntent, CallResult, Grant
from airflow_provider_permitocr.core.errors import (
    CalledElsewhereError,
    CapReachedError,
    OutcomeUnknownError,
)
from airflow_provider_permitocr.core.models import RowKey
from airflow_provider_permitocr.core.ports import LedgerTable

#: How long an intent waits for others: a transaction per call would be many for a warehouse, and an image
#: that waits is in memory.
_GATHER_SECONDS: Final = 0.25


def new_call_id() -> str:
    """Return what tells a call from all others."""
    return uuid.uuid4().hex


@dataclass
class _Asked:
    intent: CallIntent
    grant: Grant | None = None
    error: BaseException | None = None


class CallLedger:
    """The ledger as the threads that call see it.

    Intents are gathered for a moment and written in one transaction, together with the results that have
    come in meanwhile. Whoever comes first does so for all.

    :param now: the time of day, in UTC.
    :param sleep: takes seconds.
    """

    def __init__(
        self,
        table: LedgerTable,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], object] = time.sleep,
        gather_seconds: float = _GATHER_SECONDS,
    ) -> None:
        self._table = table
        self._now, self._sleep = now, sleep
        self._gather_seconds = gather_seconds
        self._writing = threading.Lock()
        self._waiting = threading.Lock()
        self._asked: list[_Asked] = []
        self._results: list[CallResult] = []
        self.is_capped = False
        self._called_elsewhere = 0

    def prepare(self) -> None:
        """Make sure that it can be written.

        :raises TargetError: naming what to change.
        """
        self._table.prepare()

    def open(self, call_id: str, row_key: RowKey, image_digest: str | None) -> None:
        """Wait until the intent to make a call is written.

        :raises CapReachedError: when no more calls are allowed.
        :raises CalledElsewhereError: when another run calls for this row.
        :raises OutcomeUnknownError: when a worker died over this row, and the user wants no second call.
        """
        asked = _Asked(CallIntent(call_id, row_key, image_digest, self._now()))
        with self._waiting:
            self._asked.append(asked)
        with self._writing:
            if asked.grant is None and asked.error is None:
                self._sleep(self._gather_seconds)
                self._exchange()
        if asked.error:
            raise asked.error
        self._require(asked)

    def raise_if_capped(self) -> None:
        """Give up what would be granted no call any more, before its image is loaded.

        :raises CapReachedError: when no more calls are allowed.
        """
        if self.is_capped:
            raise CapReachedError("no more calls are allowed; the rest is left for a later run")

    def close(self, call_id: str, code: str, *, billed: bool | None, request_id: str | None = None) -> None:
        """Note what became of a call; written with the next intents, or by ``flush``."""
        result = CallResult(call_id, code, billed, request_id or None, self._now())
        with self._waiting:
            self._results.append(result)

    def close_unsent(self, call_id: str) -> None:
        """Note that a call was not made after all."""
        self.close(call_id, NOT_SENT, billed=False)

    def take_called_elsewhere(self) -> int:
        """Return how many rows were left to another run since this was asked last."""
        with self._waiting:
            number, self._called_elsewhere = self._called_elsewhere, 0
        return number

    def flush(self) -> None:
        """Write the results that have come in."""
        with self._writing:
            if self._results:
                self._exchange()

    def _exchange(self) -> None:
        with self._waiting:
            asked, self._asked = self._asked, []
            results, self._results = self._results, []
        try:
            grants = self._table.exchange([each.intent for each in asked], results)
        except BaseException as error:
            with self._waiting:
                self._results = results + self._results
            for each in asked:
                each.error = error
            raise
        for each, grant in zip(asked, grants, strict=True):
            each.grant = grant

    def _require(self, asked: _Asked) -> None:
        match asked.grant:
            case Grant.CAPPED:
                self.is_capped = True
                self.raise_if_capped()
            case Grant.CALLED_ELSEWHERE:
                with self._waiting:
                    self._called_elsewhere += 1
                raise CalledElsewhereError("another run is calling for this image")
            case Grant.UNKNOWN:
                raise OutcomeUnknownError(
                    "CallOutcomeUnknown",
                    "a call for this image was under way when its worker died, and may have been paid for;"
                    " CallsTable(unknown_calls='repeat') makes it again",
                )
