"""Airflow copies a DAG to run, clear or test a part of it, with all that its operators hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from airflow.sdk import DAG

from airflow_provider_permitocr import (
    ImageTable,
    MainlandPermitOcrOperator,
    PermitAnalyticsOperator,
    PermitErasureOperator,
    PermitReviewOperator,
    ResultTable,
)

Execute: TypeAlias = Callable[..., dict[str, Any]]
RESULT = ResultTable("permits", conn_id="warehouse")


@pytest.fixture
def dag() -> DAG:
    with DAG("permits") as made:
        recognition = MainlandPermitOcrOperator(
            task_id="recognize",
            source=ImageTable("permit_images", conn_id="warehouse", key="image_id", image="image"),
            target=RESULT,
        )
        reviewed = PermitReviewOperator(task_id="review", recognition=recognition)
        analyzed = PermitAnalyticsOperator(task_id="analyze", result=RESULT)
        erased = PermitErasureOperator(task_id="erase", recognition=recognition, older_than_days=90)
        recognition >> reviewed >> analyzed >> erased
    return made


@pytest.mark.parametrize("task_id", ["recognize", "review", "analyze", "erase"])
def test_part_of_a_dag_can_be_taken(task_id: str, dag: DAG) -> None:
    part = dag.partial_subset(task_id, include_upstream=True)
    assert type(part.get_task(task_id)) is type(dag.get_task(task_id))
    assert part.get_task(task_id) is not dag.get_task(task_id)


@pytest.mark.parametrize("task_id", ["recognize", "review", "analyze", "erase"])
def test_a_copy_of_a_killed_task_can_run(task_id: str, dag: DAG) -> None:
    killed: Any = dag.get_task(task_id)
    killed.on_kill()
    copied: Any = dag.partial_subset(task_id, include_upstream=True).get_task(task_id)
    assert killed._stop.is_set()
    assert not copied._stop.is_set()
