"""How a run ends that something has ended early: nothing that is paid for is lost with it."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any, Final

from airflow_provider_permitocr.core.call_ledger import CallLedger
from airflow_provider_permitocr.core.errors import PermitOcrError
from airflow_provider_permitocr.core.load import Loader
from airflow_provider_permitocr.core.stream import UnderWay

_LONGEST_WAIT_SECONDS: Final = 0.5
#: A task is interrupted by its timeout, and by whoever ends its process.
_INTERRUPTIONS: Final = 5
_log = logging.getLogger(__name__)


def land(
    under_way: UnderWay[Any, Any], loader: Loader, ledger: CallLedger | None, error: BaseException
) -> None:
    """Write or keep what has been answered at once, and each later answer as it comes, until none is due.

    Whoever interrupts this is not heard before its end; ``error`` goes before it.

    :param error: what has ended the run; it will say what could not be written, too.
    """
    for _ in range(_INTERRUPTIONS):
        try:
            write_at_once(loader, ledger)
            while under_way.wait(_LONGEST_WAIT_SECONDS):
                write_at_once(loader, ledger)
            loader.write_or_keep()
            break
        except BaseException:  # noqa: BLE001, S112  what is in flight is still to be waited for
            continue
    if unwritten := loader.unwritten():
        _tell(error, unwritten)
    if ledger:
        try:
            ledger.flush()
        except Exception as fault:  # noqa: BLE001  it must not hide what has ended the run
            reason = str(fault) if isinstance(fault, PermitOcrError) else type(fault).__name__
            _tell(error, f"What became of the last calls is missing from the ledger: {reason}")


def write_at_once(loader: Loader, ledger: CallLedger | None) -> None:
    """Write or keep what has been answered, as the process may end within seconds."""
    loader.write_or_keep()
    if ledger:
        with suppress(PermitOcrError):  # it is tried again at the end, and told then
            ledger.flush()


def _tell(error: BaseException, words: str) -> None:
    _log.error("%s", words)
    if isinstance(error, PermitOcrError):
        error.also(words)
    else:
        error.add_note(words)
