"""What a run tells of its targets by asset events."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_provider_permitocr import Budget, Ledger, ResultFile, ResultTable
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.wiring.monitoring import assets
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


def test_a_run_with_nothing_to_do_says_so(
    connected: RunningEmulator, image_list: ImageList, announced: Callable[..., OutletEventAccessors]
) -> None:
    image_list(1)
    announced(outlets=[ALIAS])
    assert list(of_alias(announced(outlets=[ALIAS])).values()) == [0]


def test_a_plan_has_no_event_of_an_alias_and_one_of_an_asset_is_marked(
    connected: RunningEmulator, image_list: ImageList, announced: Callable[..., OutletEventAccessors]
) -> None:
    image_list(2)
    events = announced(outlets=[PERMITS, ALIAS], plan_only=True)
    assert of_alias(events) == {}
    extra = events[PERMITS].extra
    assert (extra["plan_only"], extra["rows"], extra["to_call"]) == (True, 0, 2)


def test_a_rebuild_has_an_event_of_what_it_has_written(
    connected: RunningEmulator, image_list: ImageList, announced: Callable[..., OutletEventAccessors]
) -> None:
    image_list(2)
    announced(outlets=[ALIAS])
    assert list(of_alias(announced(outlets=[ALIAS], rebuild=True)).values()) == [2]


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

    monkeypatch.setattr(assets, "Asset", refuse)
    assert of_alias(announced(outlets=[ALIAS])) == {}
    assert "The asset events lack this run's numbers: Asset name cannot exceed" in capfd.readouterr().out
