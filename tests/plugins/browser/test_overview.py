"""The overview: all tasks and runs of this operator."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_permitocr.engine.progress.record import End
from labs.ui.browser import Window, window
from tests.support.airflow_stand_in import StandIn
from tests.support.recorded_runs import RecordedRun

pytestmark = pytest.mark.slow


def overview(opened: Window, url: str) -> str:
    opened.page.goto(f"{url}/permitocr/ui/index.html")
    opened.page.wait_for_selector("#tasks tbody tr", timeout=10_000)
    opened.page.wait_for_timeout(500)
    return str(opened.page.inner_text("main"))


def test_tasks_show_what_runs_what_it_costs_and_what_is_left(
    airflow: StandIn, opened: Window, url: str, soon_before: datetime
) -> None:
    live = RecordedRun(images=12_000, started_at=soon_before, sums_changed={"waiting_for_review": 31})
    airflow.add(
        live.record(300), dag_id="daily", run_id="now", state="running", run_after="2026-11-30T12:25:00Z"
    )
    airflow.add(RecordedRun(images=100).whole_record(), dag_id="daily", run_id="before")
    failed = RecordedRun(images=500, failing={"FailedOperation.ImageBlur": ("failed", 0.5)})
    airflow.add(
        failed.record(20, end=End(why="TooManyFailuresError")),
        dag_id="archive",
        run_id="old",
        state="failed",
        run_after="2026-11-29T12:25:00Z",
    )
    text = overview(opened, url)
    rows = opened.page.locator("#tasks tbody tr").all_inner_texts()
    assert len(rows) == 2
    for each in ("daily", "Running", "5,880 of 12,000", "19.8", "3.5 %", "31", "12"):
        assert each in rows[0]
    for each in ("archive", "Failed", "50 %"):
        assert each in rows[1]
    runs = opened.page.locator("#runs tbody tr").all_inner_texts()
    assert [run.split("\n")[0] for run in runs] == ["now", "before", "old"]
    assert "Running now\n1" in text.replace("\n\n", "\n")
    assert opened.flaws() == []
    assert opened.errors == []


def test_yesterdays_cost_is_not_todays(airflow: StandIn, opened: Window, url: str, now: datetime) -> None:
    run = RecordedRun(images=100, failing={}, started_at=now - timedelta(days=2))
    airflow.add(run.whole_record())
    overview(opened, url)
    costs = opened.page.locator("#tasks tbody tr").first.inner_text()
    assert "402.00 USD" in costs  # of the month
    assert "\t0.00 USD" in costs


def test_a_task_that_was_killed_does_not_run(airflow: StandIn, opened: Window, url: str) -> None:
    airflow.add(RecordedRun(images=9_000).record(60), state="failed")
    overview(opened, url)
    opened.page.wait_for_selector("#tasks .badge.failed", timeout=5_000)


def test_dags_that_the_user_may_not_see_are_left_out(airflow: StandIn, opened: Window, url: str) -> None:
    airflow.add(RecordedRun(images=100).whole_record(), dag_id="seen")
    airflow.add(RecordedRun(images=100).whole_record(), dag_id="secret")
    airflow.forbidden = {"secret"}
    assert "secret" not in overview(opened, url)


def test_without_runs_it_says_when_they_appear(opened: Window, url: str) -> None:
    opened.page.goto(f"{url}/permitocr/ui/index.html")
    opened.page.wait_for_selector("text=No run has recorded its progress yet.")


def test_further_runs_come_when_asked_for(airflow: StandIn, opened: Window, url: str) -> None:
    record = RecordedRun(images=100).whole_record()
    for number in range(230):
        airflow.add(record, run_id=f"run-{number}", run_after=f"2026-11-{1 + number % 28:02}T12:00:00Z")
    overview(opened, url)
    rows = opened.page.locator("#runs tbody tr")
    assert rows.count() == 25
    asked = sum("xcomEntries/" in path for path in airflow.asked)
    assert asked <= 30
    for shown in (50, 75, 100, 125):
        opened.page.get_by_text("Show more runs").click()
        rows.nth(shown - 1).wait_for(timeout=8_000)
        assert rows.count() == shown


@pytest.mark.parametrize("record", [{}, "s3://bucket/x", [], 7, {"sums": {"cost_today": 5, "day": None}}])
def test_odd_records_keep_no_other_from_being_shown(
    airflow: StandIn, opened: Window, url: str, record: Any
) -> None:
    airflow.add(record, dag_id="odd", run_after="2026-11-30T12:10:00Z")
    airflow.add(RecordedRun(images=100).whole_record(), dag_id="usual")
    text = overview(opened, url)
    assert "100 of 100" in text
    assert "NaN" not in text
    assert opened.errors == []


def test_the_newest_runs_come_first_where_airflow_lists_by_name(
    airflow: StandIn, opened: Window, url: str, now: datetime
) -> None:
    airflow.ignores_order = True
    record = RecordedRun(images=100).whole_record()
    for number in range(1_200):
        begun = now - timedelta(hours=number)
        airflow.add(record, run_id=begun.isoformat(), run_after=begun.isoformat())
    overview(opened, url)
    rows = opened.page.locator("#runs tbody tr")
    rows.nth(24).wait_for(timeout=8_000)
    names = [name.split("\n")[0] for name in rows.all_inner_texts()]
    assert names == [(now - timedelta(hours=number)).isoformat() for number in range(25)]
    assert "of the last 31 days" in opened.page.inner_text("#tasks")
    assert "of the tasks below" in opened.page.inner_text(".stats")  # an earlier one may have cost, too
    for _ in range(32):
        opened.page.get_by_text("Show more runs").click()
    older = opened.page.locator("#runs tbody tr:nth-child(801)")
    older.get_by_text((now - timedelta(hours=800)).isoformat()).wait_for(timeout=20_000)


def test_the_newest_runs_have_their_numbers_before_all_are_listed(
    airflow: StandIn, opened: Window, url: str, now: datetime
) -> None:
    record = RecordedRun(images=100).whole_record()
    for number in range(700):
        begun = (now - timedelta(hours=number)).isoformat()
        airflow.add(record, run_id=begun, run_after=begun)
    opened.page.route("**/xcomEntries?*offset=100", lambda route: None)  # the second page never comes
    opened.page.goto(f"{url}/permitocr/ui/index.html")
    opened.page.locator("#runs").get_by_text("100 of 100").nth(24).wait_for(timeout=8_000)


def test_a_task_that_runs_rarely_is_shown_beside_those_that_run_often(
    airflow: StandIn, opened: Window, url: str, now: datetime
) -> None:
    record = RecordedRun(images=100).whole_record()
    for number in range(150):
        airflow.add(record, run_id=f"hour-{number}", run_after=(now - timedelta(hours=number)).isoformat())
    airflow.add(record, dag_id="monthly", run_after=(now - timedelta(days=20)).isoformat())
    overview(opened, url)
    opened.page.locator("#tasks").get_by_text("monthly").wait_for(timeout=8_000)


def test_a_run_of_a_thousand_shards_leaves_others_their_place(
    airflow: StandIn, opened: Window, url: str
) -> None:
    shard = RecordedRun(images=10).whole_record()
    for number in range(1_000):
        airflow.add(shard, dag_id="large", map_index=number, run_after="2026-11-30T12:20:00Z")
    airflow.add(RecordedRun(images=100).whole_record(), dag_id="usual")
    overview(opened, url)
    opened.page.locator("#tasks").get_by_text("100 of 100").wait_for(timeout=8_000)
    opened.page.locator("#tasks .badge.success").nth(1).wait_for(timeout=8_000)
    large = opened.page.locator("#runs tbody tr").first.inner_text()
    assert "more than 100 shards" in large
    assert " of " not in large  # the sum of some of them is not that of all


def test_shards_that_wait_keep_a_run_from_being_called_a_success(
    airflow: StandIn, opened: Window, url: str
) -> None:
    airflow.add(RecordedRun(images=10).whole_record(), map_index=0)
    airflow.add(None, map_index=1, state="queued")
    overview(opened, url)
    opened.page.locator("#tasks").get_by_text("Queued").wait_for(timeout=8_000)


@pytest.mark.parametrize(
    "record", [RecordedRun(images=9_000).record(60), RecordedRun().record(9, end=End(why="X"))]
)
def test_a_task_that_waits_for_its_next_try_neither_runs_nor_has_failed(
    airflow: StandIn, opened: Window, url: str, record: dict[str, Any]
) -> None:
    airflow.add(record, state="up_for_retry")
    overview(opened, url)
    opened.page.locator("#tasks").get_by_text("Up for retry").wait_for(timeout=8_000)
    assert "Running now\n0" in opened.page.inner_text(".stats").replace("\n\n", "\n")


@pytest.mark.parametrize("status", [403, 422, 500])
def test_records_that_airflow_cannot_read_keep_no_other_from_being_shown(
    airflow: StandIn, opened: Window, url: str, status: int
) -> None:
    for number in range(8):
        dag_id = f"broken-{number}"
        airflow.add(RecordedRun().whole_record(), dag_id=dag_id, run_after="2026-11-30T12:10:00Z")
        airflow.broken[dag_id] = status
    airflow.add(RecordedRun(images=100).whole_record(), dag_id="usual")
    overview(opened, url)
    opened.page.locator("#tasks").get_by_text("100 of 100").wait_for(timeout=8_000)


def test_a_run_that_is_deleted_meanwhile_goes(airflow: StandIn, opened: Window, url: str) -> None:
    airflow.add(RecordedRun(images=9_000).record(60), dag_id="gone", state="running")
    airflow.add(RecordedRun(images=100).whole_record(), dag_id="usual")
    overview(opened, url)
    airflow.tasks = {key: task for key, task in airflow.tasks.items() if key[0] != "gone"}
    opened.page.locator("#tasks").get_by_text("gone").wait_for(state="detached", timeout=15_000)


def test_it_fits_a_phone(airflow: StandIn, started: Any, url: str) -> None:
    airflow.add(RecordedRun(images=100).whole_record(), dag_id="a_rather_long_name_of_a_dag_of_somebody")
    with window(started, url, width=360, height=740) as opened:
        overview(opened, url)
        assert not opened.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert opened.flaws() == []
