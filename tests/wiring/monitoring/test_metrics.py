"""What a StatsD server gets of a run."""

from __future__ import annotations

import inspect
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.engine.observer import CallFacts, DeliveryFacts
from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.wiring.monitoring.metrics import RunMetrics

PAGE = Path(__file__).parents[3] / "docs" / "operations" / "monitoring.md"
SUMMARY = RunSummary(
    *(9, 1, {"recognized": 7}, {}, 8, 1, 4.0),
    billed=7,
    cost=Decimal("0.0105"),
    currency="USD",
    left=87,
    refused=2,
    undelivered=3,
)


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A UDP socket that Airflow's client sends to."""
    from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
    from airflow.sdk._shared.observability.metrics.statsd_logger import SafeStatsdLogger
    from airflow.sdk.observability.stats import Stats
    from statsd import StatsClient

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(5)
        host, port = listener.getsockname()

        def client() -> Any:
            return SafeStatsdLogger(StatsClient(host=host, port=port, prefix="airflow"))

        # Airflow 3.3 renamed its own metrics, and sends both names unless told not to.
        knows_two_names = "export_legacy_names" in inspect.signature(Stats.initialize).parameters
        options = {"export_legacy_names": False} if knows_two_names else {}
        Stats.initialize(factory=client, **options)
        yield listener
        Stats.initialize(factory=NoStatsLogger, **options)


@pytest.fixture
def got(server: socket.socket) -> Callable[[int], list[str]]:
    """Return so many packets."""
    return lambda count: [server.recv(1024).decode() for _ in range(count)]


@pytest.fixture
def metrics() -> RunMetrics:
    return RunMetrics(RunIdentity(dag_id="permits", task_id="recognize", run_id="run-1"))


def test_calls_are_counted_by_how_they_ended(got: Callable[[int], list[str]], metrics: RunMetrics) -> None:
    metrics.on_call(CallFacts(0.25, "OK", billed=True))
    assert got(3) == [
        "airflow.permitocr.calls:1|c",
        "airflow.permitocr.billed:1|c",
        "airflow.permitocr.call_duration:250.000000|ms",
    ]
    metrics.on_call(CallFacts(0.5, "RequestLimitExceeded", billed=False, is_throttled=True))
    assert got(3)[1] == "airflow.permitocr.calls.throttled:1|c"
    metrics.on_call(CallFacts(0.5, "InternalError", billed=None))
    assert got(3)[1] == "airflow.permitocr.calls.failed:1|c"


def test_images_are_counted_by_status(got: Callable[[int], list[str]], metrics: RunMetrics) -> None:
    metrics.on_image("recognized")
    assert got(1) == ["airflow.permitocr.images.recognized:1|c"]


def test_rows_are_counted_and_a_delivery_that_failed(
    got: Callable[[int], list[str]], metrics: RunMetrics
) -> None:
    metrics.on_delivery(DeliveryFacts("warehouse:permits", 500, 1.5))
    assert got(2) == [
        "airflow.permitocr.rows.delivered:500|c",
        "airflow.permitocr.delivery_duration:1500.000000|ms",
    ]
    metrics.on_delivery(DeliveryFacts("warehouse:permits", 0, 0.0, has_failed=True))
    assert got(1) == ["airflow.permitocr.deliveries.failed:1|c"]


def test_a_run_ends_with_its_rate_cost_and_what_is_left(
    got: Callable[[int], list[str]], metrics: RunMetrics
) -> None:
    metrics.on_end(SUMMARY)
    assert got(5) == [
        "airflow.permitocr.rate:2.0|g",
        "airflow.permitocr.left:87|g",
        "airflow.permitocr.rows.refused:2|g",
        "airflow.permitocr.rows.undelivered:3|g",
        "airflow.permitocr.cost.usd:0.0105|g",
    ]


def test_what_could_not_be_counted_is_not_sent(monkeypatch: pytest.MonkeyPatch, metrics: RunMetrics) -> None:
    sent = sent_names(monkeypatch)
    metrics.on_end(replace(SUMMARY, undelivered=None))
    assert "permitocr.rows.undelivered" not in sent


def test_a_currency_that_no_name_can_hold_is_left_out(
    monkeypatch: pytest.MonkeyPatch, metrics: RunMetrics
) -> None:
    sent = sent_names(monkeypatch)
    metrics.on_end(replace(SUMMARY, cost=None))
    assert not any("cost" in name for name in sent)
    for currency in ("人民币", None, "US$"):
        metrics.on_end(replace(SUMMARY, currency=currency))
    assert [name for name in sent if "cost" in name] == ["permitocr.cost"]


def test_tags_name_the_task_and_nothing_that_grows_with_the_data(
    monkeypatch: pytest.MonkeyPatch, metrics: RunMetrics
) -> None:
    tags = sent_names(monkeypatch)
    metrics.on_call(CallFacts(0.25, "OK", billed=True))
    assert all(each == {"dag_id": "permits", "task_id": "recognize"} for each in tags.values())


def test_the_page_on_monitoring_names_each_metric_with_its_type(
    monkeypatch: pytest.MonkeyPatch, metrics: RunMetrics
) -> None:
    sent = sent_names(monkeypatch)
    for call in (
        CallFacts(0.25, "OK", billed=True),
        CallFacts(0.25, "InternalError", billed=None),
        CallFacts(0.25, "RequestLimitExceeded", billed=False, is_throttled=True),
    ):
        metrics.on_call(call)
    for status in (Status.RECOGNIZED, Status.REJECTED, Status.FAILED, Status.RETRY):
        metrics.on_image(status.value)
    metrics.on_delivery(DeliveryFacts("warehouse:permits", 500, 1.5))
    metrics.on_delivery(DeliveryFacts("warehouse:permits", 0, 0.0, has_failed=True))
    metrics.on_end(SUMMARY)
    page, _, _ = PAGE.read_text(encoding="utf-8").partition("## Traces")
    documented = re.findall(r"`(permitocr\.[\w.<>]+)`", page)
    assert set(documented) == {name.replace("cost.usd", "cost.<currency>") for name in sent}


def sent_names(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    """Return what will be sent: the tags by the names of metrics."""
    from airflow_provider_permitocr.wiring.monitoring import metrics as module

    sent: dict[str, dict[str, str]] = {}

    class Client:
        @staticmethod
        def incr(name: str, count: int = 1, *, tags: dict[str, str]) -> None:
            sent[name] = tags

        gauge = timing = incr

    monkeypatch.setattr(module, "Stats", Client)
    return sent
