"""The DAG as far as the file: what would load it is recorded, as Google's provider is not installed here."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from airflow.sdk import BaseOperator

from airflow_provider_permitocr import ResultFile
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen

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
    assert task.target.path == "gs://permits-lake/permits/{{ ds }}.parquet"
    task.target = ResultFile(str(tmp_path / "lake" / "permits" / "{{ ds }}.parquet"))
    LOADED.clear()
    return dag


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

    done = dag.test(logical_date=datetime(2026, 5, 2, 2, tzinfo=UTC))

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


def test_without_googles_provider_there_is_no_dag_and_no_import_error_but_a_line_in_the_log(
    airflow_metadata: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, TRANSFERS, None)
    with caplog.at_level(logging.WARNING):
        assert parsed() == {}
    assert "pip install apache-airflow-providers-google" in caplog.text
