from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_permitocr import (
    ImageTable,
    MainlandPermitOcrOperator,
    ResultTable,
)

DAY = datetime(2026, 5, 1, tzinfo=UTC)
NEXT = datetime(2026, 5, 2, tzinfo=UTC)


def rendered(context: dict[str, Any], *, native: bool = False, **bounds: str) -> ImageTable:
    source = ImageTable("images", conn_id="lake", key="id", image="url", updated_at="at", **bounds)
    dag = DAG("permits", schedule="@daily", render_template_as_native_obj=native)
    task = MainlandPermitOcrOperator(
        task_id="permits", source=source, target=ResultTable("permits", conn_id="lake"), dag=dag
    ).prepare_for_execution()
    task.render_template_fields(context, task.get_template_env(dag))  # type: ignore[arg-type]
    assert isinstance(task.source, ImageTable)
    return task.source


BOUNDS = {"since": "{{ data_interval_start }}", "until": "{{ data_interval_end }}"}


@pytest.mark.parametrize("native", [False, True])
def test_a_run_with_a_data_interval_reads_it(native: bool) -> None:
    source = rendered({"data_interval_start": DAY, "data_interval_end": NEXT}, native=native, **BOUNDS)
    assert (str(source.since), str(source.until)) == (str(DAY), str(NEXT))


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(
    "context",
    [
        {},
        {"data_interval_start": None, "data_interval_end": None},
        {"data_interval_start": DAY, "data_interval_end": DAY},
    ],
    ids=["without-a-logical-date", "by-an-asset", "of-a-cron-schedule"],
)
def test_a_run_without_an_interval_of_some_length_looks_through_the_whole_list(
    context: dict[str, Any], native: bool
) -> None:
    source = rendered(context, native=native, **BOUNDS)
    assert not source.since
    assert not source.until


def test_bounds_that_are_no_templates_stay_as_they_are() -> None:
    source = rendered({}, since="2026-05-01", until="2026-05-01")
    assert (source.since, source.until) == ("2026-05-01", "2026-05-01")
