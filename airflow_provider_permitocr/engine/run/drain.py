"""How a run ends that something has ended early: nothing that is paid for is lost with it."""

from __future__ import annotations

import logging
from typing import Any, Final

from airflow_provider_permitocr.engine.delivery.deliveries import Deliveries
from airflow_provider_permitocr.engine.ledger.call_ledger import CallLedger
from airflow_provider_permitocr.engine.run.hand_over import HandOver
from airflow_provider_permitocr.errors import FencedError, PermitOcrError, RunStoppedError

_LOOK_SECONDS: Final = 0.5
#: Exceptions by which a timeout, or the end of its process, interrupts a task.
_INTERRUPTIONS: Final = 5
#: For a table that is down when the run has failed for another reason.
_PATIENCE_SECONDS: Final = 10.0
#: Exceptions after which the process may end at any moment, or another continues in its place.
_IN_A_HURRY: Final = (RunStoppedError, FencedError)
_log = logging.getLogger(__name__)


def drain(
    hand_over: HandOver[Any, Any], calls: CallLedger, deliveries: Deliveries, error: BaseException
) -> None:
    """Wait until no call is in flight and every one is closed, in the ledger or in the journal.

    Answers are then delivered, unless the process may end at any moment: the next run delivers them then.
    Further interruptions are ignored until this returns; ``error`` is the one raised.

    :param error: the error that ended the run; what could not be written is added to its message.
    """
    kept: str | None = None
    for _ in range(_INTERRUPTIONS):
        try:
            while hand_over.wait(_LOOK_SECONDS):
                pass  # each answer is closed as it arrives, by the thread that exchanges with the ledger
            kept = calls.end()
            _deliver(deliveries, error)
            break
        except BaseException:  # noqa: BLE001, S112  calls in flight must still be awaited
            continue
    hand_over.close()
    if kept:
        _log.error("%s", kept)
        if isinstance(error, PermitOcrError):
            error.also(kept)
        else:
            error.add_note(kept)


def _deliver(deliveries: Deliveries, error: BaseException) -> None:
    is_at_leisure = isinstance(error, PermitOcrError) and not isinstance(error, _IN_A_HURRY)
    try:
        if is_at_leisure:
            deliveries.finish(_PATIENCE_SECONDS)
    except PermitOcrError as fault:
        if fault is not error:
            _log.warning("%s", fault)
    finally:
        deliveries.close()
