"""Hands in what earlier runs have kept in journals while the ledger could not be written."""

from __future__ import annotations

from airflow_provider_permitocr.engine.ledger.calls import NOT_SENT
from airflow_provider_permitocr.engine.ledger.ports import Journal, Ledger
from airflow_provider_permitocr.engine.run.progress import Log


def hand_in_waiting(ledger: Ledger, journal: Journal, log: Log) -> int:
    """Close the calls that wait in journals.

    :param ledger: is prepared.
    :return: how many answers the ledger does not take, which stay in their journals.
    """
    journal.use(ledger.ledger_id)
    waiting = 0
    for name, closed in journal.pending():
        # Calls that were not made, and that the ledger does not know, need no waiting.
        left = [each for each in ledger.hand_in(closed) if each.code != NOT_SENT]
        log.info(f"Recorded {len(closed) - len(left):,} of {len(closed):,} calls kept in {name}")
        if not left:
            journal.remove(name)
        waiting += len(left)
    return waiting
