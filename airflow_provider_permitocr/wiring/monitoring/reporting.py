"""What operators report of the targets that they have changed: asset events, and OpenLineage lineage."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

from airflow_provider_permitocr.errors import PermitOcrError

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context

    from airflow_provider_permitocr.engine.delivery.refill import Refill
    from airflow_provider_permitocr.options.task import TaskOptions
    from airflow_provider_permitocr.wiring.monitoring.lineage import Trail


class ReportsTargets:
    """Part of an operator that changes targets."""

    #: What it has read and written so far; None: nothing.
    _trail: Trail | None = None
    # Of BaseOperator.
    outlets: list[Any]
    log: Any

    def _announce(
        self,
        context: Context,
        conn_ids: Collection[str],
        numbers: Mapping[str, Any],
        delivered: Mapping[str, int],
    ) -> None:
        """Give the events of the outlets these numbers. Airflow sends them if the task succeeds.

        An alias gets an event for each target, whose host and database are only known at run time.

        :param conn_ids: connections of the tables among the targets.
        :param numbers: as the task returns them.
        :param delivered: rows written, by target.
        """
        if not self.outlets:
            return
        try:
            self._announce_each(context["outlet_events"], _rows_by_uri(conn_ids, delivered), numbers)
        # No connection of a target any more, or a name that Airflow does not accept: no reason to fail a task
        # whose images are paid for.
        except (PermitOcrError, ValueError) as error:
            self.log.warning(f"The asset events lack this run's numbers: {error}")

    def _announce_each(self, events: Any, rows: Mapping[str, int], numbers: Mapping[str, Any]) -> None:
        for outlet in self.outlets:
            if isinstance(outlet, AssetAlias):
                for uri, written in rows.items():
                    events[outlet].add(Asset(uri), extra={**numbers, "rows": written})
            else:
                written = rows.get(getattr(outlet, "uri", ""), sum(rows.values()))
                events[outlet].extra = {**numbers, "rows": written}

    def _announce_plan(self, context: Context, numbers: Mapping[str, Any]) -> None:
        """Mark a task's events as those of a plan: named assets get theirs even if nothing was changed."""
        self._announce(context, (), {**numbers, "plan_only": True}, {})

    def _trace(self, task: TaskOptions, refill: Refill) -> None:
        """Keep for lineage what was read and written without a call."""
        from airflow_provider_permitocr.wiring.monitoring.lineage import trail_from_ledger

        if refill.columns:  # it got as far as the targets
            with suppress(PermitOcrError):  # lineage fails no task
                self._trail = trail_from_ledger(task, refill)

    def get_openlineage_facets_on_complete(self, _task_instance: object) -> OperatorLineage[Any, Any] | None:
        """Return what the task read and wrote, for the OpenLineage provider; None: nothing, as for a plan."""
        from airflow_provider_permitocr.wiring.monitoring.lineage import facets

        return facets(self._trail) if self._trail else None

    #: What was written before it failed.
    get_openlineage_facets_on_failure = get_openlineage_facets_on_complete


def _rows_by_uri(conn_ids: Collection[str], delivered: Mapping[str, int]) -> dict[str, int]:
    from airflow_provider_permitocr.wiring.monitoring.datasets import datasets_of

    return {dataset.uri: delivered[target] for target, dataset in datasets_of(conn_ids, delivered).items()}
