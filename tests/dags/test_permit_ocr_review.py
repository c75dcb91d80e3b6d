"""The DAG that has readings reviewed, as Airflow keeps it and runs it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.permit.quality.examination import Examination

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

DAG_ID = "permit_ocr_review"


def test_its_questions_are_mapped_and_the_dag_can_be_serialized(dags: DagBag) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    dag = dags.dags[DAG_ID]
    assert dag.get_task("review").is_mapped
    kept: Any = DagSerialization.deserialize_dag(DagSerialization.to_dict(dag)["dag"])
    assert kept.get_task("review").is_mapped
    assert "permit_images" not in str(kept.get_task("review").partial_kwargs)


@pytest.mark.whole_runs
def test_without_doubtful_readings_no_question_waits(
    dags: DagBag,
    images: dict[str, Specimen],
    warehouse: sa.Engine,
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect_emulator(emulator)
    monkeypatch.setattr(Examination, "flags", lambda *_, **__: ())
    dag = dags.dags[DAG_ID]
    done = dag.test(logical_date=datetime(2026, 5, 2, 6, tzinfo=UTC))
    assert done.state == "success"
    assert emulator.stats()["calls"] == 4
    results = [
        task.xcom_pull(task_ids=task.task_id, map_indexes=task.map_index)
        for task in done.get_task_instances()
        if task.task_id == "review"
    ]
    assert [(each["asked"], each["calls"]) for each in results] == [(0, 0)] * 10
