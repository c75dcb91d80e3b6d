"""What templates are rendered with before a run, as Airflow's reference of templates has it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_provider_permitocr.cli.plans.planned_run import PlannedRun, rendered
from airflow_provider_permitocr.errors import ConfigurationError

RUN = PlannedRun(*(datetime(2026, 5, day, 12, tzinfo=UTC) for day in (1, 1, 2)))


class Probe(BaseOperator):
    """A task with one templated text."""

    template_fields = ("text",)

    def __init__(self, *, text: str, **named: Any) -> None:
        super().__init__(**named)
        self.text = text


def shown(template: str) -> str:
    with DAG("permits", schedule=None, params={"kind": "of the DAG", "limit": 3}) as dag:
        task: Any = Probe(task_id="recognize", text=template, params={"kind": "of the task"})
    return str(rendered(dag, task, RUN).text)  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch, set_connection: Callable[..., None]) -> None:
    """A variable, one of JSON, and a connection."""
    monkeypatch.setenv("AIRFLOW_VAR_FOLDER", "/permits")
    monkeypatch.setenv("AIRFLOW_VAR_SIDES", '{"front": ["a", "b"]}')
    set_connection("lake", conn_type="sqlite", host="/lake.db", extra={"region": "north"})


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ dag.dag_id }}.{{ task.task_id }}", "permits.recognize"),
        ("{{ run_id }}", "manual__2026-05-01T12:00:00+00:00"),
        ("{{ ds }} {{ ds_nodash }}", "2026-05-01 20260501"),
        ("{{ ts }}", "2026-05-01T12:00:00+00:00"),
        ("{{ ts_nodash }} {{ ts_nodash_with_tz }}", "20260501T120000 20260501T120000+0000"),
        ("{{ data_interval_start | ds }} {{ data_interval_end | ds }}", "2026-05-01 2026-05-02"),
        ("{{ logical_date.day }}", "1"),
        ("{{ params.kind }} {{ params.limit }}", "of the task 3"),
        ("{{ var.value.folder }} {{ var.value.get('folder') }}", "/permits /permits"),
        ("{{ var.value.get('nothing', 'else') }}", "else"),
        ("{{ var.json.sides.front[1] }}", "b"),
        ("{{ conn.lake.host }} {{ conn.get('lake').host }}", "/lake.db /lake.db"),
        ("{{ conn.lake.extra_dejson.region }}", "north"),
        ("{{ conn.get('nothing', {'host': 'else'}).host }}", "else"),
        ("{{ macros.ds_add(ds, 1) }} {{ macros.timedelta(days=1) }}", "2026-05-02 1 day, 0:00:00"),
    ],
)
def test_templates_know_what_they_know_in_a_run(template: str, text: str) -> None:
    assert shown(template) == text


@pytest.mark.parametrize("template", ["{{ ti.map_index }}", "{{ var.value.nothing }}", "{{ conn.nothing }}"])
def test_what_is_not_known_is_refused(template: str) -> None:
    with pytest.raises(ConfigurationError, match="a template cannot be rendered before a run"):
        shown(template)
