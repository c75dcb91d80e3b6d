"""Writes calls down before they are made, and what became of them afterwards: for many threads at once."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from airflow_provider_permitocr.core.calls import NOT_SENT, CallIntent, CallResult, Grant
from airflow_provider_permitocr.core.errors import (
    CalledElsewhereError,
    CapReachedError,
    ImageRejectedError,
    OutcomeUnknownError,
    RunStoppedError,
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
class _Gathered:
    """Intents that are written together.

    :param grants: by ``call_id``; None until they are written, and for good where they could not be.
    """

    intents: list[CallIntent] = field(default_factory=list)
    grants: dict[str, Grant] | None = None
    is_over: threading.Event = field(default_factory=threading.Event)


class CallLedger:
    """The ledger as the threads that call see it.

    Intents are gathered for a moment and written in one transaction, together with the results that have
    come in meanwhile. Whoever comes first does so for all; where it fails, that one gets the error, and the
    others give up their rows.

    :param now: the time of day, in UTC.
    :param sleep: takes seconds.
    :param gather_seconds: how long the first intent waits for others.
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
        #: Held for moments, over what follows.
        self._state = threading.Lock()
        self._gathering: _Gathered | None = None
        self._results: list[CallResult] = []
        self._called_elsewhere = 0
        self.is_capped = False

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
        :raises ImageRejectedError: when the ledger cannot hold this row's key.
        :raises RunStoppedError: when the ledger could not be written; another thread raises why.
        """
        intent = CallIntent(call_id, row_key, image_digest, self._now())
        with self._state:
            is_first = self._gathering is None
            gathered = self._gathering = self._gathering or _Gathered()
            gathered.intents.append(intent)
        if is_first:
            self._write_gathered(gathered)
        else:
            gathered.is_over.wait()
        if gathered.grants is None:
            raise RunStoppedError("the call was not made, as the call ledger could not be written")
        self._require(gathered.grants[call_id])

    def raise_if_capped(self) -> None:
        """Give up what would be granted no call any more, before its image is loaded.

        :raises CapReachedError: when no more calls are allowed.
        """
        if self.is_capped:
            raise CapReachedError("no more calls are allowed; the rest is left for a later run")

    def close(self, call_id: str, code: str, *, billed: bool | None, request_id: str | None = None) -> None:
        """Note what became of a call; written with the next intents, or by ``flush``."""
        result = CallResult(call_id, code, billed, request_id or None, self._now())
        with self._state:
            self._results.append(result)

    def close_unsent(self, call_id: str) -> None:
        """Note that a call was not made after all."""
        self.close(call_id, NOT_SENT, billed=False)

    def take_called_elsewhere(self) -> int:
        """Return how many rows were left to another run since this was asked last."""
        with self._state:
            number, self._called_elsewhere = self._called_elsewhere, 0
        return number

    def flush(self) -> None:
        """Write the results that have come in."""
        with self._writing:
            if self._results:
                self._exchange(None)

    def _write_gathered(self, gathered: _Gathered) -> None:
        try:
            self._sleep(self._gather_seconds)
            with self._writing:
                self._exchange(gathered)
        finally:
            with self._state:
                if self._gathering is gathered:  # not even begun
                    self._gathering = None
            gathered.is_over.set()

    def _exchange(self, gathered: _Gathered | None) -> None:
        """Write intents, and the results so far; of what cannot be written, no call is made."""
        with self._state:
            if gathered:
                self._gathering = None
            results, self._results = self._results, []
        intents = gathered.intents if gathered else []
        try:
            grants = self._table.exchange(intents, results)
        except BaseException:
            # They may have been written all the same, where a connection was lost over it.
            unsent = [CallResult(each.call_id, NOT_SENT, False, None, self._now()) for each in intents]
            with self._state:
                self._results = results + unsent + self._results
            raise
        if gathered:
            gathered.grants = {intent.call_id: grant for intent, grant in zip(intents, grants, strict=True)}

    def _require(self, grant: Grant) -> None:
        match grant:
            case Grant.CAPPED:
                self.is_capped = True
                self.raise_if_capped()
            case Grant.CALLED_ELSEWHERE:
                with self._state:
                    self._called_elsewhere += 1
                raise CalledElsewhereError("another run is calling for this image")
            case Grant.UNKNOWN:
                raise OutcomeUnknownError(
                    "CallOutcomeUnknown",
                    "a call for this image was under way when its worker died, and may have been paid for;"
                    " CallsTable(unknown_calls='repeat') makes it again",
                )
            case Grant.REFUSED:
                raise ImageRejectedError(
                    "LedgerRefusesKey",
                    "the call ledger cannot hold this image's key, so that no call is made; it is too long"
                    " for an index, or holds characters that its database does not take",
                )
