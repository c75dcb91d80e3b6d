from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr import Budget
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

DAG_ID = "permit_ocr_daily"


def run(dags: DagBag, run_after: datetime, **params: Any) -> Any:
    return dags.dags[DAG_ID].test(logical_date=run_after, run_conf=params or None)


def test_every_dag_of_the_folder_is_parsed_and_knows_its_pool(dags: DagBag) -> None:
    assert dags.import_errors == {}
    assert dags.dag_warnings == set()
    assert DAG_ID in dags.dags


@pytest.mark.whole_runs
def test_the_daily_dag_recognizes_its_day_and_repeats_no_call(
    dags: DagBag,
    images: dict[str, Specimen],
    warehouse: sa.Engine,
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    connect_emulator(emulator)

    first = run(dags, datetime(2026, 5, 2, 2, tzinfo=UTC))
    again = run(dags, datetime(2026, 5, 2, 2, 1, tzinfo=UTC))
    next_day = run(dags, datetime(2026, 5, 3, 2, tzinfo=UTC))

    assert [each.state for each in (first, again, next_day)] == ["success"] * 3
    with warehouse.connect() as connection:
        rows = connection.execute(sa.text("SELECT image_key, number, run_id FROM permits")).all()
    assert {row.image_key: row.number for row in rows} == {
        key: specimen.fields["Number"] for key, specimen in images.items()
    }
    assert {row.run_id for row in rows} == {first.run_id, next_day.run_id}
    assert emulator.stats()["calls"] == 4
    with warehouse.connect() as connection:
        ledger = connection.execute(sa.text("SELECT count(*), sum(billed) FROM permit_ocr_calls")).one()
    assert tuple(ledger) == (4, 4)
    said = "".join(capfd.readouterr())
    for specimen in images.values():
        assert specimen.fields["Number"] not in said
        assert specimen.fields["Name"] not in said


@pytest.mark.slow
def test_what_a_cap_leaves_of_an_interval_is_recognized_by_the_next_runs(
    dags: DagBag,
    images: dict[str, Specimen],
    warehouse: sa.Engine,
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect_emulator(emulator)
    task = dags.dags[DAG_ID].get_task("recognize_permits")
    monkeypatch.setattr(task, "budget", Budget(max_calls=1))

    recognized = []
    for day in range(2, 7):  # the runs of five days, whose intervals are of 1 to 5 May
        assert run(dags, datetime(2026, 5, day, 2, 2, tzinfo=UTC)).state == "success"
        with warehouse.connect() as connection:
            recognized.append(connection.execute(sa.text("SELECT count(*) FROM permits")).scalar_one())

    assert recognized == [1, 2, 3, 4, 4]
    assert emulator.stats()["calls"] == 4


@pytest.mark.whole_runs
def test_the_summary_in_xcom_is_numbers_alone(
    dags: DagBag,
    images: dict[str, Specimen],
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
) -> None:
    connect_emulator(emulator)

    done = run(dags, datetime(2026, 5, 2, 2, 2, tzinfo=UTC))

    (task,) = done.get_task_instances()
    summary = task.xcom_pull(task_ids=task.task_id)
    assert summary["statuses"] == {"recognized": 3}
    assert summary["calls"] == 3
    assert summary.keys() == {
        *("listed", "skipped", "statuses", "error_codes"),
        *("calls", "billed", "cost", "currency", "doubtful", "reused", "elsewhere", "left", "cap"),
        *("throttled", "elapsed_seconds", "calls_per_second", "taken_up", "unread", "refused", "delivered"),
    }
    assert not any(each.fields["Number"] in json.dumps(summary) for each in images.values())


@pytest.mark.whole_runs
def test_the_trigger_form_plans_a_run(
    dags: DagBag,
    images: dict[str, Specimen],
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
) -> None:
    connect_emulator(emulator)

    done = run(dags, datetime(2026, 5, 2, 2, 4, tzinfo=UTC), plan_only="yes")

    (task,) = done.get_task_instances()
    assert (done.state, task.xcom_pull(task_ids=task.task_id)["to_call"]) == ("success", 3)
    assert emulator.stats()["calls"] == 0


def test_a_wrong_table_fails_the_task_at_once_though_it_has_retries(
    dags: DagBag, warehouse: sa.Engine, emulator: RunningEmulator, connect_emulator: Callable[..., None]
) -> None:
    connect_emulator(emulator)

    done = run(dags, datetime(2026, 5, 2, 2, 3, tzinfo=UTC))

    (task,) = done.get_task_instances()
    assert (done.state, task.state, task.try_number) == ("failed", "failed", 1)
    assert dags.dags[DAG_ID].get_task(task.task_id).retries == 2


@pytest.mark.whole_runs
def test_a_run_in_the_same_process_renders_its_own_interval(
    dags: DagBag,
    images: dict[str, Specimen],
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
) -> None:
    from airflow.models.renderedtifields import RenderedTaskInstanceFields

    connect_emulator(emulator)

    shown = []
    for day in (4, 5):
        (task,) = run(dags, datetime(2026, 5, day, 2, tzinfo=UTC)).get_task_instances()
        rendered = RenderedTaskInstanceFields.get_templated_fields(task)
        assert rendered is not None
        shown.append(rendered["source"])

    # As values by name from Airflow 3.3 on, as text before.
    assert "2026-05-03 02:00:00+00:00" in str(shown[0])
    assert "2026-05-04 02:00:00+00:00" in str(shown[1])
    assert "permit_images" in str(shown[0])


def test_a_run_without_an_interval_looks_through_the_whole_list(dags: DagBag) -> None:
    # What a run has that was triggered without a logical date; dag.test() always has one.
    contexts: tuple[dict[str, Any], ...] = ({}, {"data_interval_start": None, "data_interval_end": None})
    for context in contexts:
        task: Any = dags.dags[DAG_ID].get_task("recognize_permits")
        task = task.prepare_for_execution()
        task.render_template_fields({"params": {"plan_only": "no"}} | context)
        assert (task.source.since, task.source.until) == ("", "")
