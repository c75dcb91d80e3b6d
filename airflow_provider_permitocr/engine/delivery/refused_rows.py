"""Rows that a result table has refused, tried again once a run: the cause may be gone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.delivery.batch import ALL_REFUSED, TableWriter
from airflow_provider_permitocr.engine.ledger.deliveries import Delivery, DeliveryState
from airflow_provider_permitocr.engine.models import RowKey

_ROWS_AT_ONCE: Final = 500
_log = logging.getLogger(__name__)


def try_refused_again(
    delivery: Delivery,
    writer: TableWriter,
    state: DeliveryState,
    *,
    is_over: Callable[[], bool],
    when_not_noted: Callable[[Sequence[RowKey]], object] = lambda _: None,
) -> DeliveryState:
    """Write rows that were refused; if the first of them still are, the rest waits for the next run.

    :param delivery: is claimed.
    :param is_over: whether the run must end.
    :param when_not_noted: receives rows that were written although another run delivers meanwhile.
    :raises UnreachableError: when a retry may succeed.
    """
    most, refused, taken = ALL_REFUSED, 0, 0
    while (some := delivery.refusals(most)) and not is_over():
        had_row = {each.row_key: each.has_row for each in some}
        images = delivery.rows_of(list(had_row))
        written = writer.try_again(images, most_refused=ALL_REFUSED - refused)
        still = {each.row_key: replace(each, has_row=had_row[each.row_key]) for each in written.refused}
        done = [key for key in dict.fromkeys(written.taken) if key not in still]
        unknown = set(had_row).difference(each.row_key for each in images)
        state = replace(
            state,
            rows=state.rows + sum(not had_row[key] for key in done),
            highest=max(state.highest, written.highest),
        )
        if not delivery.note(state, refused=list(still.values()), taken=[*done, *unknown]):
            when_not_noted(written.taken)
            break  # these rows would be tried over and over
        refused, taken = refused + len(still), taken + len(done)
        is_alike = len(still) == len(some) and len({each.reason for each in still.values()}) == 1
        if refused >= ALL_REFUSED or is_alike:
            break
        most = _ROWS_AT_ONCE
    if taken:
        said = many(taken, "row")
        _log.info("The result table %r accepted %s that it had refused before", delivery.target, said)
    return state
