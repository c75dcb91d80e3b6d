"""A run's spans, below its task's, by OpenTelemetry's API. Where tracing is off, they record nothing."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode

from airflow_provider_permitocr import __version__
from airflow_provider_permitocr.engine.observer import RunObserver

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import TracerProvider
    from opentelemetry.util.types import AttributeValue

    from airflow_provider_permitocr.engine.observer import CallFacts, DeliveryFacts
    from airflow_provider_permitocr.engine.run.summary import RunSummary

_NAME: Final = "airflow_provider_permitocr"
_NANOSECONDS: Final = 1_000_000_000


class RunSpans(RunObserver):
    """Creates a span for the run, and a child span for each delivery, with the calls since the previous one.

    Create it in the thread whose context has the task's span; spans of other threads get their parent
    explicitly. Leaving it as a context manager ends the run's span.

    :param provider: None: the process's own.
    :param now: nanoseconds since 1970.
    """

    def __init__(
        self, provider: TracerProvider | None = None, *, now: Callable[[], int] = time.time_ns
    ) -> None:
        self._tracer = trace.get_tracer(_NAME, __version__, provider)
        self._now = now
        self._span = self._tracer.start_span("permitocr.run", start_time=now())
        self._context = trace.set_span_in_context(self._span)
        self._lock = threading.Lock()
        self._calls = self._throttled = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(error)

    def on_call(self, call: CallFacts) -> None:
        """Count a call: a span for each would be 20 a second."""
        with self._lock:
            self._calls += 1
            self._throttled += call.is_throttled

    def on_delivery(self, delivery: DeliveryFacts) -> None:
        """Record a delivery that is over."""
        with self._lock:
            calls, throttled = self._calls, self._throttled
            self._calls = self._throttled = 0
        attributes: dict[str, AttributeValue] = {
            "permitocr.target": delivery.target,
            "permitocr.rows": delivery.rows,
            "permitocr.calls": calls,
            "permitocr.throttled": throttled,
        }
        end = self._now()
        span = self._tracer.start_span(
            "permitocr.delivery",
            self._context,
            attributes=attributes,
            start_time=end - round(delivery.seconds * _NANOSECONDS),
        )
        if delivery.has_failed:
            span.set_status(Status(StatusCode.ERROR, "the table could not be written to"))
        span.end(end)

    def on_end(self, summary: RunSummary) -> None:
        """Give the run's span its numbers."""
        numbers: dict[str, AttributeValue] = {
            "permitocr.listed": summary.listed,
            "permitocr.skipped": summary.skipped,
            "permitocr.calls": summary.calls,
            "permitocr.throttled": summary.throttled,
            "permitocr.billed": summary.billed,
            "permitocr.left": summary.left,
        }
        statuses = {f"permitocr.images.{status}": count for status, count in summary.statuses.items()}
        self._span.set_attributes(numbers | statuses)

    def end(self, error: BaseException | None = None) -> None:
        """End the run's span.

        :param error: what the task fails with. Only its class is recorded: messages name tables and keys.
        """
        if error is not None:
            self._span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        self._span.end(self._now())
