"""A run's metrics, by Airflow's own client: StatsD or OpenTelemetry, as Airflow is configured.

``docs/operations/monitoring.md`` lists them. Status and outcome are in the names, since plain StatsD drops
tags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow.sdk.observability.stats import Stats

from airflow_provider_permitocr.engine.observer import RunObserver

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
    from airflow_provider_permitocr.engine.observer import CallFacts, DeliveryFacts
    from airflow_provider_permitocr.engine.run.summary import RunSummary

_PREFIX: Final = "permitocr"
_MILLISECONDS: Final = 1_000


class RunMetrics(RunObserver):
    """Sends a run's metrics. Tags name the DAG and the task, and nothing that grows with the data."""

    def __init__(self, identity: RunIdentity) -> None:
        self._tags = {"dag_id": identity.dag_id, "task_id": identity.task_id}

    def on_call(self, call: CallFacts) -> None:
        """Count a call, and how long it took."""
        self._count("calls")
        if call.is_throttled:
            self._count("calls.throttled")
        elif call.code != "OK":
            self._count("calls.failed")
        if call.billed:
            self._count("billed")
        self._time("call_duration", call.seconds)

    def on_image(self, status: str) -> None:
        """Count an image by its status."""
        self._count(f"images.{status}")

    def on_delivery(self, delivery: DeliveryFacts) -> None:
        """Count rows, or a delivery that failed."""
        if delivery.has_failed:
            self._count("deliveries.failed")
            return
        self._count("rows.delivered", delivery.rows)
        self._time("delivery_duration", delivery.seconds)

    def on_end(self, summary: RunSummary) -> None:
        """Set what only the end of a run shows."""
        self._set("rate", summary.calls_per_second)
        self._set("left", summary.left)
        self._set("rows.refused", summary.refused)
        if summary.undelivered is not None:
            self._set("rows.undelivered", summary.undelivered)
        if summary.cost is not None:
            self._set(f"cost{_currency(summary.currency)}", float(summary.cost))

    def _count(self, name: str, count: int = 1) -> None:
        Stats.incr(f"{_PREFIX}.{name}", count, tags=self._tags)

    def _set(self, name: str, value: float) -> None:
        Stats.gauge(f"{_PREFIX}.{name}", value, tags=self._tags)

    def _time(self, name: str, seconds: float) -> None:
        Stats.timing(f"{_PREFIX}.{name}", seconds * _MILLISECONDS, tags=self._tags)


def _currency(currency: str | None) -> str:
    """Return a currency as the end of a name; '' for one that no name can hold."""
    is_plain = currency is not None and currency.isascii() and currency.isalpha()
    return f".{currency.lower()}" if currency and is_plain else ""
