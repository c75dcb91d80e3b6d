"""Several result tables: one that is down does not hold up the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from airflow_provider_permitocr.engine.delivery.deliveries import Deliveries
from airflow_provider_permitocr.engine.ledger.deliveries import DeliveryState
from airflow_provider_permitocr.engine.ledger.ports import Ledger
from airflow_provider_permitocr.errors import RunStoppedError, TargetError, UnreachableError
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.permit.columns import COLUMNS
from tests.support.delivery_fakes import FakeDelivery, FakeResultTable, answered


class FakeLists:
    """A ledger that has one image for each of its targets."""

    def __init__(self) -> None:
        self.targets: dict[str, FakeDelivery] = {}

    def delivery(self, target: str, *, keeps_history: bool = False) -> FakeDelivery:
        made = FakeDelivery(answered("a", 4), answered("b", 5))
        made.target = target
        return self.targets.setdefault(target, made)


@pytest.fixture
def ledger() -> FakeLists:
    return FakeLists()


@pytest.fixture
def made() -> Iterator[list[Deliveries]]:
    """Deliveries to close after the test."""
    deliveries: list[Deliveries] = []
    yield deliveries
    for each in deliveries:
        each.close()


def deliveries_to(
    made: list[Deliveries], ledger: FakeLists, tables: Mapping[str, FakeResultTable]
) -> Deliveries:
    made.append(Deliveries(cast(Ledger, ledger), tables, Batch(patience_seconds=0)))
    made[-1].prepare(COLUMNS)
    return made[-1]


def down(*_: Any) -> None:
    raise UnreachableError("the table is down")


def test_all_tables_get_all_rows(made: list[Deliveries], ledger: FakeLists) -> None:
    tables = {name: FakeResultTable() for name in ("lake:permits", "mart:permits")}
    deliveries = deliveries_to(made, ledger, tables)
    deliveries.finish(0)
    assert [sorted(each.rows) for each in tables.values()] == [["a", "b"], ["a", "b"]]
    assert (deliveries.delivered, deliveries.refused) == ({"lake:permits": 2, "mart:permits": 2}, 0)


def test_the_others_are_filled_before_it_is_said_which_are_not(
    made: list[Deliveries], ledger: FakeLists
) -> None:
    tables = {name: FakeResultTable() for name in ("lake:a", "lake:b", "mart:c")}
    tables["lake:a"].before_write = tables["lake:b"].before_write = down
    with pytest.raises(UnreachableError, match=r"^the table is down\. Nothing is lost.*the table is down"):
        deliveries_to(made, ledger, tables).finish(0)
    assert sorted(tables["mart:c"].rows) == ["a", "b"]


def test_a_run_that_is_asked_to_stop_waits_for_no_table(made: list[Deliveries], ledger: FakeLists) -> None:
    tables, stop = {"lake:permits": FakeResultTable()}, threading.Event()
    deliveries = deliveries_to(made, ledger, tables)
    stop.set()
    with pytest.raises(RunStoppedError, match="the next run delivers the rest without a call"):
        deliveries.finish(3600, stop=stop)


def test_without_a_table_there_is_nothing_to_wait_for(made: list[Deliveries], ledger: FakeLists) -> None:
    deliveries = deliveries_to(made, ledger, {})
    deliveries.start()
    deliveries.notice(5)
    deliveries.finish(0)


def test_a_table_that_was_filled_before_and_is_down_lets_calls_go_on(
    made: list[Deliveries], ledger: FakeLists, caplog: pytest.LogCaptureFixture
) -> None:
    table = FakeResultTable(is_new=False, version=5)
    ledger.delivery("lake:permits").state = DeliveryState(5, 2, 5)
    table.prepare = down  # type: ignore[method-assign,assignment]
    deliveries = deliveries_to(made, ledger, {"lake:permits": table})
    deliveries.start()
    deliveries.notice(1)
    assert "the table is down. Calls continue" in caplog.text


def test_a_table_that_was_never_filled_and_is_down_is_refused(
    made: list[Deliveries], ledger: FakeLists
) -> None:
    table = FakeResultTable()
    table.prepare = down  # type: ignore[method-assign,assignment]
    with pytest.raises(UnreachableError, match="the table is down"):
        deliveries_to(made, ledger, {"lake:permits": table})


def test_a_table_that_cannot_take_the_rows_is_refused(made: list[Deliveries], ledger: FakeLists) -> None:
    def misfit(*_: Any) -> None:
        raise TargetError("the table lacks status")

    table = FakeResultTable()
    table.prepare = misfit  # type: ignore[method-assign,assignment]
    with pytest.raises(TargetError, match="lacks status"):
        deliveries_to(made, ledger, {"lake:permits": table})
