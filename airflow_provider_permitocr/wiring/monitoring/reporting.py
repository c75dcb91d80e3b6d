"""What operators report of the targets that they have changed: asset events, and OpenLineage lineage."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

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
        """Give the events of the outlets these numbers.

        :param conn_ids: connections of the tables.
        :param delivered: rows written, by target.
        """
        outlets: Iterable[Any] = self.outlets
        if not outlets:
            return
        from airflow_provider_permitocr.wiring.monitoring.assets import ANNOUNCE_FAULTS, announce

        try:
            announce(outlets, context, conn_ids, numbers, delivered)
        except ANNOUNCE_FAULTS as error:
            self.log.warning(f"The asset events lack this run's numbers: {error}")

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
