"""Who watches a task's run: its metrics and its spans."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_permitocr.engine.observer import Observers, RunObserver
from airflow_provider_permitocr.wiring.monitoring.metrics import RunMetrics
from airflow_provider_permitocr.wiring.monitoring.traces import RunSpans

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.ledger.calls import RunIdentity


@contextmanager
def watched(identity: RunIdentity, *others: RunObserver) -> Iterator[Observers]:
    """Return a run's observers; leaving the ``with`` block ends its span.

    :param others: further observers.
    """
    spans = RunSpans()
    error: BaseException | None = None
    try:
        yield Observers([RunMetrics(identity), spans, *others])
    except BaseException as raised:
        error = raised
        raise
    finally:
        spans.end(error)
