"""What a ledger's word on an intent means for the image."""

from __future__ import annotations

from typing import Final

from airflow_provider_permitocr.engine.ledger.calls import OUTCOME_UNKNOWN, Grant
from airflow_provider_permitocr.errors import (
    CalledElsewhereError,
    CapReachedError,
    FencedError,
    ImageRejectedError,
    OutcomeUnknownError,
    SettledElsewhereError,
)

#: Code of an image whose key the ledger cannot hold: nothing about it can be written there.
LEDGER_REFUSES_KEY: Final = "LedgerRefusesKey"
#: Code of an image whose answer the ledger's database does not take: it waits in a journal.
LEDGER_REFUSES_ANSWER: Final = "LedgerRefusesAnswer"


def raise_unless_granted(grant: Grant) -> None:
    """Raise why a call is not to be made.

    :raises CapReachedError: when no more calls are allowed.
    :raises CalledElsewhereError: when another run or try is calling for this image.
    :raises SettledElsewhereError: when one has dealt with it meanwhile.
    :raises OutcomeUnknownError: when a worker died over this image, and the user wants no second call.
    :raises ImageRejectedError: when the ledger cannot hold this image's key.
    :raises FencedError: when a newer try of this task has begun.
    """
    match grant:
        case Grant.CAPPED | Grant.DAY_CAPPED:
            raise CapReachedError("No more calls are allowed; the rest is left for a later run.")
        case Grant.HELD:
            raise CalledElsewhereError("Another run is calling for this image.")
        case Grant.SETTLED:
            raise SettledElsewhereError("Another run has dealt with this image.")
        case Grant.FENCED:
            raise FencedError("A newer try of this task has begun.")
        case Grant.UNKNOWN:
            raise OutcomeUnknownError(
                OUTCOME_UNKNOWN,
                "A call for this image was under way when its worker died, and may have been paid for."
                " Ledger(unknown_calls='repeat') makes it again.",
            )
        case Grant.REFUSED:
            raise ImageRejectedError(
                LEDGER_REFUSES_KEY,
                "The ledger's database does not take this image's key, so no call is made.",
            )
