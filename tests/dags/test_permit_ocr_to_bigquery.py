"""The DAG as far as the file: what would load it is recorded, as Google's provider is not installed here."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from airflow.sdk import BaseOperator
from airflow.sdk.execution_time import macros

from airflow_provider_permitocr import ResultFile
from airflow_provider_permitocr.cli.checks.template_checks import check_templates
from airflow_provider_permitocr.cli.plans.planned_run import planned_run, rendered
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.wiring.identity import window_of

if TYPE_CHECKING:
    from airflow.sdk import DAG

DAG_ID = "permit_ocr_to_bigquery"
FILE = Path(__file__).parents[2] / "dags" / f"{DAG_ID}.py"
TRANSFERS = "airflow.providers.google.cloud.transfers.gcs_to_bigquery"
LOADED: list[dict[str, Any]] = []


class GCSToBigQueryOperator(BaseOperator):
    """Takes what Google's takes, renders what it renders, and says what it was given."""

    template_fields = ("bucket", "source_objects", "destination_project_dataset_table")

    def __init__(
        self,
        *,
        bucket: str,
        source_objects: list[str],
        destination_project_dataset_table: str,
        source_format: str = "CSV",
        write_disposition: str = "WRITE_EMPTY",
        time_partitioning: dict[str, Any] | None = None,
        gcp_conn_id: str = "google_cloud_default",
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.bucket, self.source_objects = bucket, source_objects
        self.destination_project_dataset_table = destination_project_dataset_table
        self.source_format, self.write_disposition = source_format, write_disposition
        self.time_partitioning, self.gcp_conn_id = time_partitioning, gcp_conn_id

    def execute(self, context: Any) -> None:
        names = (*self.template_fields, "source_format", "write_disposition", "time_partitioning")
        LOADED.append({name: getattr(self, name) for name in names})


@pytest.fixture
def google_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for Airflow's Google provider."""
    names = TRANSFERS.split(".")[2:]
    for end in range(1, len(names) + 1):
        name = ".".join(["airflow.providers", *names[:end]])
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules[TRANSFERS].GCSToBigQueryOperator = GCSToBigQueryOperator  # type: ignore[attr-defined]


def parsed() -> dict[str, DAG]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(FILE), known_pools={"default_pool", "tencent_permit_ocr"})
    assert (bag.import_errors, bag.dag_warnings) == ({}, set())
    return dict(bag.dags)


@pytest.fixture
def dag(airflow_metadata: None, google_provider: None, tmp_path: Path) -> Any:
    """The DAG, whose file goes to the disk."""
    dag: Any = parsed()[DAG_ID]
    task: Any = dag.get_task("recognize_permits")
    bucket = "gs://permits-lake/"
    assert task.target.path.startswith(bucket)
    task.target = ResultFile(f"{tmp_path}/lake/{task.target.path.removeprefix(bucket)}")
    LOADED.clear()
    return dag


@pytest.mark.slow
def test_the_days_rows_are_written_as_parquet_and_that_file_is_loaded_into_the_days_partition(
    dag: Any,
    images: dict[str, Specimen],
    warehouse: sa.Engine,
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    tmp_path: Path,
) -> None:
    connect_emulator(emulator)
    (tmp_path / "lake" / "permits").mkdir(parents=True)

    done = dag.test(logical_date=SCHEDULED + timedelta(hours=9))

    assert (done.state, emulator.stats()["calls"]) == ("success", 3)
    (file,) = (tmp_path / "lake" / "permits").iterdir()
    written = pq.read_table(file)
    assert {row["image_key"]: row["number"] for row in written.to_pylist()} == {
        key: specimen.fields["Number"] for key, specimen in list(images.items())[:3]
    }
    assert isinstance(written.to_pylist()[0]["birthday"], date)
    (loaded,) = LOADED
    assert loaded == {
        "bucket": "permits-lake",
        "source_objects": [f"permits/{file.name}"],
        "destination_project_dataset_table": f"mart.permits${file.stem.replace('-', '')}",
        "source_format": "PARQUET",
        "write_disposition": "WRITE_TRUNCATE",
        "time_partitioning": {"type": "DAY"},
    }


SCHEDULED = datetime(2026, 5, 2, tzinfo=UTC)
RUNS: dict[str, dict[str, Any]] = {
    "scheduled": {
        "logical_date": SCHEDULED - timedelta(days=1),
        "data_interval_start": SCHEDULED - timedelta(days=1),
        "data_interval_end": SCHEDULED,
    },
    # Airflow gives it the last interval that is over; its ``ds`` is the day on which it is triggered.
    "by-hand": {
        "logical_date": SCHEDULED + timedelta(hours=9),
        "data_interval_start": SCHEDULED - timedelta(days=1),
        "data_interval_end": SCHEDULED,
    },
    "without-a-logical-date": {},
    "by-an-asset": {"data_interval_start": None, "data_interval_end": None},
}


@pytest.mark.parametrize("trigger", RUNS)
def test_list_file_and_partition_are_of_one_day_however_the_run_is_triggered(
    dag: DAG, trigger: str, tmp_path: Path
) -> None:
    run_after = SCHEDULED + timedelta(hours=0 if trigger == "scheduled" else 9)
    context: Any = {"dag_run": SimpleNamespace(run_after=run_after), "macros": macros, **RUNS[trigger]}

    recognize: Any = dag.get_task("recognize_permits").prepare_for_execution()
    recognize.render_template_fields(context, dag.get_template_env())
    load: Any = dag.get_task("load_permits").prepare_for_execution()
    load.render_template_fields(context, dag.get_template_env())

    window = window_of(recognize)
    assert (window.since, window.until) == (SCHEDULED - timedelta(days=1), SCHEDULED)
    assert recognize.target.path == f"{tmp_path}/lake/permits/2026-05-01.parquet"
    assert load.source_objects == ["permits/2026-05-01.parquet"]
    assert load.destination_project_dataset_table == "mart.permits$20260501"


def test_the_command_line_can_render_it_before_a_run(dag: DAG, tmp_path: Path) -> None:
    task: Any = dag.get_task("recognize_permits")
    run = planned_run(dag, SCHEDULED + timedelta(hours=9), None, None)
    assert rendered(dag, task, run).options.files[0].path == f"{tmp_path}/lake/permits/2026-05-01.parquet"


def test_the_check_finds_nothing_in_it_that_fails_in_some_runs(dag: DAG) -> None:
    task: Any = dag.get_task("recognize_permits")
    assert [found for each in (task.source, task.target) for found in check_templates(each)] == []


def test_without_googles_provider_there_is_no_dag_and_no_import_error_but_a_line_in_the_log(
    airflow_metadata: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, TRANSFERS, None)
    with caplog.at_level(logging.WARNING):
        assert parsed() == {}
    assert "pip install apache-airflow-providers-google" in caplog.text
