"""Asset events of a task: its outlets get the run's numbers, and an alias the targets that were written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

from airflow_provider_permitocr.errors import PermitOcrError
from airflow_provider_permitocr.wiring.monitoring.datasets import datasets_of

if TYPE_CHECKING:
    from airflow.sdk import Context


def announce(
    outlets: Iterable[Any],
    context: Context,
    conn_ids: Collection[str],
    numbers: Mapping[str, Any],
    delivered: Mapping[str, int],
) -> None:
    """Add the run's numbers to the events of a task's outlets. Airflow sends them if the task succeeds.

    An alias gets an event for each target, whose host and database are only known at run time.

    :param conn_ids: connections of the tables among the targets.
    :param numbers: as the task returns them.
    :param delivered: rows written, by target.
    :raises ConfigurationError: when a target's connection is gone.
    :raises ValueError: when Airflow does not accept an asset with a target's name.
    """
    events = context["outlet_events"]
    rows = {dataset.uri: delivered[target] for target, dataset in datasets_of(conn_ids, delivered).items()}
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            for uri, written in rows.items():
                events[outlet].add(Asset(uri), extra={**numbers, "rows": written})
        else:
            written = rows.get(getattr(outlet, "uri", ""), sum(rows.values()))
            events[outlet].extra = {**numbers, "rows": written}


#: Errors of events, which are no reason to fail a task whose images are paid for.
ANNOUNCE_FAULTS = (PermitOcrError, ValueError)
