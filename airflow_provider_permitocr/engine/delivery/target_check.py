"""Whether the rows of a result table are those that its ledger has delivered."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.delivery.ports import Held
from airflow_provider_permitocr.engine.ledger.deliveries import Delivery, DeliveryState
from airflow_provider_permitocr.errors import TargetError

_ADOPT: Final = "`airflow permitocr adopt DAG TASK` adopts the table's rows, without a call"
_REBUILD: Final = "`airflow permitocr rebuild DAG TASK` writes them again, without a call"
#: Before every version: something was delivered once, and everything must be delivered again.
_NOTHING_YET: Final = 1
_log = logging.getLogger(__name__)


def reconcile(delivery: Delivery, state: DeliveryState, held: Held, *, keeps_history: bool) -> DeliveryState:
    """Compare a table's rows with what was delivered to it.

    A table that is new, empty or older is filled again. Rows missing in the middle may have been deleted on
    purpose, and are only reported.

    :param delivery: already claimed by this run.
    :return: the version from which to deliver.
    :raises TargetError: when the table has rows from elsewhere, naming what to do.
    """
    if held.rows and not state.version:
        raise TargetError(
            f"The result table {delivery.target!r} has rows that this ledger never delivered. {_ADOPT}; or"
            " name another table"
        )
    if not held.rows:
        return _from_nothing(delivery, state)
    highest = held.highest or 0
    if highest > state.version and not delivery.changes(highest - 1, 1):
        raise TargetError(
            f"The result table {delivery.target!r} is ahead of its ledger: it has rows of version"
            f" {highest:,}, newer than any in the ledger. Was a backup of the ledger restored? {_ADOPT}"
        )
    if highest < state.highest:
        return _from_backup(delivery, highest, keeps_history=keeps_history)
    if not keeps_history and held.rows < state.rows:
        _log.warning(
            "%s missing from the result table %r. Unless deleted on purpose, %s",
            many(state.rows - held.rows, "delivered row is", "delivered rows are"),
            *(delivery.target, _REBUILD),
        )
    return state


def _from_nothing(delivery: Delivery, state: DeliveryState) -> DeliveryState:
    earliest = delivery.changes(0, 1)
    if not earliest or earliest[0].version > state.version:  # its rows are all yet to be delivered
        return state
    _log.info("The result table %r is new or empty; it is filled again from the ledger", delivery.target)
    return _note(delivery, DeliveryState(_NOTHING_YET))


def _from_backup(delivery: Delivery, highest: int, *, keeps_history: bool) -> DeliveryState:
    _log.warning(
        "The result table %r is older than the last delivery; missing rows are delivered again",
        delivery.target,
    )
    # Of the highest version there may be rows that are not in the table.
    version = max(_NOTHING_YET, highest - 1)
    rows = 0 if keeps_history else delivery.rows_until(version)
    return _note(delivery, DeliveryState(version, rows, highest))


def _note(delivery: Delivery, state: DeliveryState) -> DeliveryState:
    delivery.note(state)
    return state


def from_the_first(state: DeliveryState) -> DeliveryState:
    """Return the state that delivers everything again, over the existing rows."""
    return replace(state, version=_NOTHING_YET, rows=0) if state.version else state
