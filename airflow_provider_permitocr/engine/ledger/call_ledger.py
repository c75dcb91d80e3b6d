"""The ledger as the threads that call see it: written before, closed after."""

from __future__ import annotations

from airflow_provider_permitocr.engine.ledger.calls import Attempt, CallIntent, ClosedCall, Grant
from airflow_provider_permitocr.engine.ledger.exchanges import Exchanges
from airflow_provider_permitocr.permit.answers import KeptAnswer


class CallLedger:
    """Writes calls down before they are made, and closes them with their answers.

    :param exchanges: with the ledger; started and ended here.
    """

    def __init__(self, exchanges: Exchanges) -> None:
        self._exchanges = exchanges
        #: Which cap has refused a call, once one has.
        self.cap: Grant | None = None

    def start(self) -> None:
        """Begin to exchange."""
        self._exchanges.start()

    def open(self, intent: CallIntent) -> Grant | None:
        """Wait until the intent to make a call is written.

        :return: what the ledger says to it; None where it could not be written, ``raise_if_failed`` says why.
        """
        grant = self._exchanges.ask(intent)
        if grant in (Grant.CAPPED, Grant.DAY_CAPPED):
            self.cap = grant
        return grant

    def close(
        self,
        call_id: str,
        code: str,
        *,
        billed: bool | None,
        request_id: str | None = None,
        answer: KeptAnswer | None = None,
        attempt: Attempt | None = None,
    ) -> None:
        """Note what became of a call. Where the ledger cannot be written, it is on the disk on return."""
        self._exchanges.add_closed(ClosedCall(call_id, code, billed, request_id or None, answer, attempt))

    def note(self, attempt: Attempt) -> None:
        """Note what was found out about an image without an answer of its own."""
        self._exchanges.add_attempt(attempt)

    def await_reachable(self) -> None:
        """Wait while the last exchange has failed: what was granted before is not sent either.

        Where the ledger can no longer be written, the run is asked to stop.
        """
        self._exchanges.await_reachable()

    def raise_if_failed(self) -> None:
        """Raise why nothing more can be written, if so.

        :raises LedgerError, FencedError: once for all.
        """
        self._exchanges.raise_if_failed()

    def flush(self) -> None:
        """Wait until all that was noted is written, or in the journal and given up.

        :raises LedgerError, FencedError: when it could not be written.
        """
        self._exchanges.flush()

    def end(self) -> str | None:
        """Write what is left, or keep it in the journal, and end the thread that exchanges.

        :return: what could not be written, and where it is, in words; None where all is written.
        """
        return self._exchanges.end()
