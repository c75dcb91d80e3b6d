"""What OpenTelemetry records of a run."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from airflow_provider_permitocr.engine.observer import CallFacts, DeliveryFacts
from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.errors import CapReachedError
from airflow_provider_permitocr.wiring.monitoring.traces import RunSpans

SUMMARY = RunSummary(9, 1, {"recognized": 7, "failed": 1}, {}, 8, 1, 4.0, billed=7)
DELIVERY = DeliveryFacts("warehouse:permits", 500, 1.5)
NOW = 1_780_000_000_000_000_000


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


def spans_of(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_run_is_below_the_task_and_a_delivery_below_the_run(
    exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    with provider.get_tracer("airflow").start_as_current_span("task"):
        spans = RunSpans(provider, now=lambda: NOW)
        # A table is filled by its own thread, which has no context.
        thread = threading.Thread(target=spans.on_delivery, args=[DELIVERY])
        thread.start()
        thread.join()
        spans.on_end(SUMMARY)
        spans.end()
    found = spans_of(exporter)
    run, delivery = found["permitocr.run"], found["permitocr.delivery"]
    assert (run.parent, delivery.parent) == (found["task"].context, run.context)
    assert (delivery.start_time, delivery.end_time) == (NOW - 1_500_000_000, NOW)


def test_a_delivery_has_its_rows_and_the_calls_since_the_one_before(
    exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    spans = RunSpans(provider)
    for _ in range(3):
        spans.on_call(CallFacts(0.25, "OK", billed=True))
    spans.on_call(CallFacts(0.25, "RequestLimitExceeded", billed=False, is_throttled=True))
    spans.on_delivery(DELIVERY)
    spans.on_delivery(replace(DELIVERY, rows=0, has_failed=True))
    first, second = exporter.get_finished_spans()
    assert attributes(first) == {
        "permitocr.target": "warehouse:permits",
        "permitocr.rows": 500,
        "permitocr.calls": 4,
        "permitocr.throttled": 1,
    }
    assert (attributes(second)["permitocr.calls"], second.status.is_ok) == (0, False)


def test_a_runs_span_has_its_numbers_and_whether_it_failed(
    exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    # At a cap that counts as a failure, the run ends as planned, and only then fails.
    for error in (None, CapReachedError("Stopped at the cap of list 7")):
        spans = RunSpans(provider)
        spans.on_end(SUMMARY)
        spans.end(error)
    good, bad = exporter.get_finished_spans()
    assert attributes(good) == {
        "permitocr.listed": 9,
        "permitocr.skipped": 1,
        "permitocr.calls": 8,
        "permitocr.throttled": 1,
        "permitocr.billed": 7,
        "permitocr.left": 0,
        "permitocr.images.recognized": 7,
        "permitocr.images.failed": 1,
    }
    assert (good.status.is_ok, bad.status.description) == (True, "CapReachedError")
