from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.emulator.running import RunningEmulator

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

DAG_ID = "permit_ocr_analytics"


def test_it_follows_the_asset_of_the_recognizing_task(dags: DagBag) -> None:
    dag: Any = dags.dags[DAG_ID]
    assert [each.name for each in dag.timetable.asset_condition.objects] == ["permits"]


@pytest.mark.slow
@pytest.mark.usefixtures("images")
def test_it_analyzes_what_the_daily_dag_has_recognized(
    dags: DagBag,
    warehouse: sa.Engine,
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    connect_emulator(emulator)
    dags.dags["permit_ocr_daily"].test(logical_date=datetime(2026, 5, 2, 2, tzinfo=UTC))
    task: Any = dags.dags[DAG_ID].task_dict["update_analytics"]
    path = task.report.path.replace("/opt/reports", str(tmp_path))
    monkeypatch.setattr(task, "report", replace(task.report, path=path))

    done: Any = dags.dags[DAG_ID].test()

    assert done.state == "success"
    (instance,) = done.get_task_instances()
    assert instance.xcom_pull(task_ids="update_analytics") == {
        "views": 7,
        "changed": 7,
        "rows": 2,
        "files": 2,
    }
    (page,) = tmp_path.glob("permits-20*.html")
    assert "3 permits" in page.read_text(encoding="utf-8").replace("</strong> <span>", " ")
    with warehouse.connect() as connection:
        assert connection.execute(sa.text("SELECT sum(permits) FROM permits_by_day")).scalar_one() == 3
