"""The operator for analysts, after runs of the recognizing one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_permitocr import (
    AnalyticsReport,
    Budget,
    Ledger,
    PermitAnalyticsOperator,
    ResultFile,
    ResultTable,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator

pytestmark = pytest.mark.usefixtures("connected")
Execute = Callable[..., dict[str, Any]]
RESULT = ResultTable("permits", conn_id="warehouse")


def _analyze(**arguments: Any) -> dict[str, Any]:
    operator = PermitAnalyticsOperator(task_id="analyze", **({"result": RESULT} | arguments))
    return operator.execute({"run_id": "run-1"})


def _rows(engine: sa.Engine, name: str) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(sa.text(f"SELECT * FROM {name}")).mappings()]


def test_views_and_tables_say_what_a_run_did(
    image_list: Callable[..., Any], try_task: Execute, warehouse: sa.Engine
) -> None:
    image_list(3, [{"image_id": "gone", "image": "/nowhere/a.jpg"}])
    try_task(budget=Budget(price_per_call="0.15", currency="CNY"))
    done = _analyze()
    assert {name: done[name] for name in ("views", "changed", "files")} == {
        "views": 7,
        "changed": 7,
        "files": 0,
    }
    assert sum(each["permits"] for each in _rows(warehouse, "permits_by_day")) == 3
    (failure,) = _rows(warehouse, "permits_failures")
    assert (failure["images"], failure["status"]) == (1, "retry")
    assert failure["cause"]
    assert failure["advice"]
    costs = _rows(warehouse, "permits_cost_by_day")
    assert {(each["dag_id"], each["currency"], each["unit_price"]) for each in costs} == {
        ("permits", "CNY", "0.15")
    }
    assert (sum(each["billed"] for each in costs), sum(each["cost_micros"] for each in costs)) == (3, 450_000)
    (hour,) = _rows(warehouse, "permits_calls_by_hour")
    assert (hour["calls"], hour["answered"], hour["best_minute"]) in {(3, 3, 3), (3, 3, 2)}
    assert 0 <= hour["p50_ms"] <= hour["p95_ms"]
    assert len(_rows(warehouse, "permits_documents")) == 4
    assert done["rows"] == len(costs) + 1


@pytest.mark.whole_runs
def test_second_run_changes_no_view_and_doubles_no_row(
    image_list: Callable[..., Any], execute: Execute, warehouse: sa.Engine
) -> None:
    image_list(1)
    execute()
    first = _analyze()
    assert _analyze() == first | {"changed": 0}
    assert sum(each["calls"] for each in _rows(warehouse, "permits_cost_by_day")) == 1


@pytest.mark.whole_runs
def test_report_is_one_page_and_one_picture_without_anybody(
    image_list: Callable[..., Any], execute: Execute, warehouse: sa.Engine, tmp_path: Path
) -> None:
    image_list(2)
    execute()
    page, picture = tmp_path / "permits.html", tmp_path / "permits.png"
    assert _analyze(report=str(page))["files"] == 2
    assert picture.read_bytes().startswith(b"\x89PNG")
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert html.count("<svg") == html.count("<table") + html.count("<p>None.</p>") == 6
    assert not re.search(
        r"(src|href)=['\"]?[^'\"#]|@import|url\((?!#)|<script", html.replace("xlink:href", "href")
    )
    with warehouse.connect() as connection:
        (row, *_) = connection.execute(sa.text("SELECT name, number, english_name FROM permits")).all()
    assert not any(value in html for value in (*row, "k000"))
    assert sorted(each.name for each in tmp_path.iterdir() if each.suffix in (".html", ".png", ".tmp")) == [
        *(page.name, picture.name),
    ]
    assert oct(page.stat().st_mode)[-3:] == "600"


@pytest.mark.whole_runs
def test_xcom_holds_counts_alone(image_list: Callable[..., Any], execute: Execute, tmp_path: Path) -> None:
    image_list(1)
    execute()
    done = _analyze(report=AnalyticsReport(f"{tmp_path}/report.html"))
    assert json.loads(json.dumps(done)) == done
    assert {type(value) for value in done.values()} == {int}


def test_first_run_that_is_yet_to_come_is_said_to_be_missing(warehouse: sa.Engine) -> None:
    with pytest.raises(
        AirflowFailException, match=r"no result table 'permits'.*run the recognizing task once"
    ):
        _analyze()
    assert sa.inspect(warehouse).get_view_names() == []


@pytest.mark.whole_runs
def test_ledger_of_another_table_is_refused_before_any_view_is_made(
    image_list: Callable[..., Any], execute: Execute, warehouse: sa.Engine
) -> None:
    image_list(1)
    execute()
    with pytest.raises(AirflowFailException, match=r"no ledger 'other' in connection 'warehouse'"):
        _analyze(ledger=Ledger("other", conn_id="warehouse"))
    with warehouse.begin() as connection:
        connection.execute(sa.text("UPDATE permit_ocr_deliveries SET target = 'warehouse:public.others'"))
    with pytest.raises(AirflowFailException, match=r"fills no result table 'permits'"):
        _analyze()
    assert sa.inspect(warehouse).get_view_names() == []


@pytest.mark.whole_runs
@pytest.mark.parametrize("name", ["permits_failures", "permits_cost_by_day", "permits_documents"])
@pytest.mark.parametrize("kind", ["TABLE {} (day date)", "VIEW {} AS SELECT 1 AS day"])
def test_name_that_is_taken_is_refused_before_any_view_is_made(
    image_list: Callable[..., Any], execute: Execute, warehouse: sa.Engine, name: str, kind: str
) -> None:
    image_list(1)
    execute()
    with warehouse.begin() as connection:
        connection.execute(sa.text(f"CREATE {kind.format(name)}"))
    with pytest.raises(AirflowFailException, match=rf"'{name}' is a (table|view).*drop"):
        _analyze()
    assert set(sa.inspect(warehouse).get_view_names()) <= {name}


def test_report_without_its_place_is_refused_before_any_view_is_made(
    image_list: Callable[..., Any], execute: Execute, warehouse: sa.Engine, tmp_path: Path
) -> None:
    image_list(1)
    execute()
    with pytest.raises(AirflowFailException, match=r"writing the report .*correct the path"):
        _analyze(report=f"{tmp_path}/missing/report.html")
    assert sa.inspect(warehouse).get_view_names() == []


@pytest.mark.whole_runs
def test_report_without_matplotlib_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, image_list: Callable[..., Any], execute: Execute
) -> None:
    image_list(1)
    execute()
    monkeypatch.setattr("airflow_provider_permitocr.wiring.analytics.find_spec", lambda _: None)
    with pytest.raises(AirflowFailException, match=r"extra report.*pip install matplotlib"):
        _analyze(report="/tmp/report.html")


def test_templates_render_into_copies() -> None:
    operator = PermitAnalyticsOperator(
        task_id="analyze",
        result=ResultTable("{{ params.t }}", conn_id="warehouse"),
        ledger=Ledger("{{ params.t }}_ledger", conn_id="warehouse"),
        report="/reports/{{ params.t }}.html",
    )
    given = operator.result
    rendered = [
        operator.render_template(each, {"params": {"t": "permits"}})
        for each in (operator.result, operator.ledger, operator.report)
    ]
    assert [rendered[0].table, rendered[1].name, rendered[2].path] == [
        *("permits", "permits_ledger", "/reports/permits.html"),
    ]
    assert given.table == "{{ params.t }}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"result": ResultFile("/a.csv")}, "result must be a ResultTable, not ResultFile"),
        ({"ledger": "permit_ocr"}, "ledger must be a Ledger or None, not str"),
        ({"report": 5}, "report must be an AnalyticsReport, a path or None, not int"),
        ({"report": "/a.pdf"}, "path must end in .html"),
        ({"report": "a.html"}, "path must be absolute or a URL"),
        ({"timezone": "Europe/Berlin"}, "timezone must be a time zone without daylight saving time"),
        ({"timezone": "Nowhere"}, "timezone must be a time zone"),
    ],
)
def test_wrong_argument_is_refused_as_the_dag_is_parsed(
    arguments: dict[str, Any], words: str, connected: RunningEmulator
) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(words)):
        PermitAnalyticsOperator(task_id="analyze", **({"result": RESULT} | arguments))
