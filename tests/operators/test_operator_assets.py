"""What a run tells of its targets by asset events."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_provider_permitocr import (
    Budget,
    Ledger,
    PermitAnalyticsOperator,
    PermitErasureOperator,
    PermitReviewOperator,
    ResultFile,
    ResultTable,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.wiring.monitoring import reporting
from tests.operators.conftest import ImageList, NewOperator

PERMITS, ALIAS = Asset("permits"), AssetAlias("permit_targets")


@pytest.fixture
def announced(operator: NewOperator) -> Callable[..., OutletEventAccessors]:
    """Execute an operator, and return what Airflow would send of its outlets."""

    def execute(**arguments: Any) -> OutletEventAccessors:
        events = OutletEventAccessors()
        operator(**arguments).execute({"run_id": "run-1", "outlet_events": events})
        return events

    return execute


def of_alias(events: OutletEventAccessors) -> dict[str, Any]:
    """Return the rows that the events of the alias name, by the URIs of their assets."""
    return {each.dest_asset_key.uri: dict(each.extra)["rows"] for each in events[ALIAS].asset_alias_events}


def test_the_event_of_an_asset_has_the_runs_numbers_and_no_value(
    connected: RunningEmulator, image_list: ImageList, announced: Callable[..., OutletEventAccessors]
) -> None:
    (specimen, *_) = image_list(2, [{"image_id": "bad", "image": "/nowhere.jpg"}])

    extra = announced(outlets=[PERMITS], budget=Budget(price_per_call=0.0015, currency="USD"))[PERMITS].extra

    assert extra["rows"] == 3
    assert extra["statuses"] == {"recognized": 2, "retry": 1}
    assert (extra["billed"], extra["delivered"]) == (2, {"warehouse:public.permits": 3})
    said = json.dumps(extra)
    assert specimen.fields["Number"] not in said
    assert "k000" not in said


@pytest.mark.whole_runs
def test_an_alias_gets_each_target_that_the_run_has_written(
    connected: RunningEmulator,
    image_list: ImageList,
    announced: Callable[..., OutletEventAccessors],
    tmp_path: Path,
) -> None:
    image_list(2)
    file = tmp_path / "permits.csv"
    targets = [ResultTable("permits", conn_id="warehouse"), ResultFile(str(file))]

    found = of_alias(announced(outlets=[ALIAS], target=targets, list="permits"))

    table, stored = found
    assert table.startswith("postgres://127.0.0.1:")
    assert table.endswith("/public/permits")
    assert (stored, list(found.values())) == (f"file://{file}", [2, 2])


@pytest.mark.whole_runs
def test_an_outlet_that_is_a_target_has_its_own_rows(
    connected: RunningEmulator,
    image_list: ImageList,
    announced: Callable[..., OutletEventAccessors],
    tmp_path: Path,
) -> None:
    image_list(1)
    file = tmp_path / "permits.csv"
    targets = [ResultTable("permits", conn_id="warehouse"), ResultFile(str(file))]
    stored = Asset(f"file://{file}")

    events = announced(outlets=[PERMITS, stored], target=targets, list="permits")

    assert (events[PERMITS].extra["rows"], events[stored].extra["rows"]) == (2, 1)


def test_a_file_that_waits_for_its_window_has_no_event(
    connected: RunningEmulator,
    image_list: ImageList,
    announced: Callable[..., OutletEventAccessors],
    tmp_path: Path,
) -> None:
    image_list(2)
    arguments = {
        "outlets": [ALIAS],
        "target": ResultFile(str(tmp_path / "permits.csv")),
        "ledger": Ledger("permit_ocr", conn_id="warehouse"),
    }
    assert of_alias(announced(**arguments, budget=Budget(max_calls=1))) == {}


@pytest.mark.whole_runs
def test_a_run_with_nothing_to_do_says_so(
    connected: RunningEmulator, image_list: ImageList, announced: Callable[..., OutletEventAccessors]
) -> None:
    image_list(1)
    announced(outlets=[ALIAS])
    assert list(of_alias(announced(outlets=[ALIAS])).values()) == [0]


@pytest.mark.whole_runs
def test_a_plan_has_no_event_of_an_alias_and_one_of_an_asset_is_marked(
    connected: RunningEmulator, image_list: ImageList, announced: Callable[..., OutletEventAccessors]
) -> None:
    image_list(2)
    events = announced(outlets=[PERMITS, ALIAS], plan_only=True)
    assert of_alias(events) == {}
    extra = events[PERMITS].extra
    assert (extra["plan_only"], extra["rows"], extra["to_call"]) == (True, 0, 2)


@pytest.mark.whole_runs
def test_a_rebuild_has_an_event_of_what_it_has_written(
    connected: RunningEmulator, image_list: ImageList, announced: Callable[..., OutletEventAccessors]
) -> None:
    image_list(2)
    announced(outlets=[ALIAS])
    assert list(of_alias(announced(outlets=[ALIAS], rebuild=True)).values()) == [2]


@pytest.mark.whole_runs
def test_an_asset_that_airflow_refuses_does_not_fail_a_paid_run(
    connected: RunningEmulator,
    image_list: ImageList,
    announced: Callable[..., OutletEventAccessors],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    image_list(1)

    def refuse(uri: str) -> Asset:
        raise ValueError("Asset name cannot exceed 1500 characters")

    monkeypatch.setattr(reporting, "Asset", refuse)
    assert of_alias(announced(outlets=[ALIAS])) == {}
    assert "The asset events lack this run's numbers: Asset name cannot exceed" in capfd.readouterr().out


@pytest.mark.whole_runs
def test_an_erasure_has_an_event_of_what_it_has_changed(
    connected: RunningEmulator, image_list: ImageList, operator: NewOperator, tmp_path: Path
) -> None:
    image_list(2)
    file = tmp_path / "permits.csv"
    targets = [ResultTable("permits", conn_id="warehouse"), ResultFile(str(file))]
    operator(target=targets, list="permits").execute({"run_id": "run-1"})
    events = OutletEventAccessors()
    recognition = operator(target=targets, list="permits")
    erasing = PermitErasureOperator(
        task_id="erase", recognition=recognition, keys=["k000"], outlets=[PERMITS, ALIAS]
    )
    erasing.execute({"run_id": "erasing", "outlet_events": events})
    extra = events[PERMITS].extra
    assert (extra["images"], extra["delivered"]) == (1, {"warehouse:public.permits": 1, str(file): 2})
    table, stored = of_alias(events).items()
    assert (table[0].endswith("/public/permits"), table[1]) == (True, 1)
    assert stored == (f"file://{file}", 2)
    assert "k000" not in json.dumps(extra)


@pytest.mark.whole_runs
def test_a_planned_erasure_has_no_event_of_an_alias_and_one_of_an_asset_is_marked(
    connected: RunningEmulator, image_list: ImageList, operator: NewOperator
) -> None:
    image_list(1)
    operator().execute({"run_id": "run-1"})
    events = OutletEventAccessors()
    erasing = PermitErasureOperator(
        task_id="erase", recognition=operator(), keys=["k000"], plan_only=True, outlets=[PERMITS, ALIAS]
    )
    erasing.execute({"run_id": "erasing", "outlet_events": events})
    assert (events[PERMITS].extra["plan_only"], events[PERMITS].extra["rows"]) == (True, 0)
    assert of_alias(events) == {}


@pytest.mark.whole_runs
def test_an_update_of_analytics_has_an_event_of_the_tables_that_it_has_filled(
    connected: RunningEmulator, image_list: ImageList, operator: NewOperator
) -> None:
    image_list(1)
    operator().execute({"run_id": "run-1"})
    events = OutletEventAccessors()
    result = ResultTable("permits", conn_id="warehouse")
    analyzing = PermitAnalyticsOperator(task_id="analyze", result=result, outlets=[PERMITS, ALIAS])
    analyzing.execute({"run_id": "run-1", "outlet_events": events})
    assert (events[PERMITS].extra["views"], events[PERMITS].extra["rows"]) == (7, 2)
    by_name = {uri.rpartition("/")[2]: rows for uri, rows in of_alias(events).items()}
    assert by_name == {"permits_cost_by_day": 1, "permits_calls_by_hour": 1}


@pytest.mark.whole_runs
def test_a_review_has_an_event_of_the_decisions_that_it_has_delivered(
    connected: RunningEmulator, image_list: ImageList, operator: NewOperator
) -> None:
    image_list(1)
    operator().execute({"run_id": "run-1"})
    events = OutletEventAccessors()
    reviewing = PermitReviewOperator(
        task_id="review", recognition=operator(), flags=["image_small"], outlets=[PERMITS, ALIAS]
    )
    instance = SimpleNamespace(dag_id="permits", task_id="review", map_index=-1, try_number=1)
    context: Any = {"run_id": "run-1", "ti": instance, "outlet_events": events}
    reviewing.execute(context)
    assert (events[PERMITS].extra["asked"], events[PERMITS].extra["rows"]) == (0, 0)
    assert of_alias(events) == {}
