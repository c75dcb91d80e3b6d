"""Tasks as values, and a whole Airflow for the command: DAG files, pools, connections, databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.cli.checks.findings import OcrTask, Variant
from airflow_provider_permitocr.options.lists.image_list import ImageTable
from airflow_provider_permitocr.options.targets.result_table import ResultTable

SetConnection = Callable[..., None]

HEAD = """
from airflow.sdk import DAG, task, task_group
from airflow_provider_permitocr import (
    ImageQuery, ImageTable, Ledger, MainlandPermitOcrOperator, ResultFile, ResultTable,
    Budget, shards,
)

class Nightly(MainlandPermitOcrOperator):
    pass

LIST = ImageTable("permit_images", conn_id="lake", key="image_id", image="image")
RESULT = ResultTable("permits", conn_id="lake")
TABLES = {"source": LIST, "target": RESULT}
"""


@pytest.fixture
def ocr_task() -> Callable[..., OcrTask]:
    """Make a task that is as it should be; what it is executed with, and what is special, by name."""

    def make(**special: Any) -> OcrTask:
        source = ImageTable("permit_images", conn_id="lake", key="image_id", image="image")
        executed: dict[str, Any] = {
            "source": source,
            "targets": (ResultTable("permits", conn_id="lake"),),
            "tencentcloud_conn_id": "tencentcloud_default",
        }
        executed |= {name: special.pop(name) for name in Variant.__dataclass_fields__ if name in special}
        described: dict[str, Any] = {
            "dag_id": "permits",
            "task_id": "recognize",
            "file": "permits.py",
            "pool": "tencent_permit_ocr",
            "pool_slots": 5,
            "variants": (Variant(**executed),),
        }
        return OcrTask(**(described | special))

    return make


@pytest.fixture
def dag_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is this Airflow's only bundle of DAG files."""
    folder = tmp_path / "dag_files"
    folder.mkdir()
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    bundles = [{"name": "tests", "classpath": local, "kwargs": {"path": str(folder)}}]
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(bundles))
    return folder


@pytest.fixture
def write_dag(dag_folder: Path) -> Callable[..., None]:
    """Write the file of a DAG with these lines in it; they know ``TABLES`` and the subclass ``Nightly``."""

    def write(*lines: str, dag_id: str = "permits", arguments: str = "schedule=None") -> None:
        body = "\n".join(f"    {line}" for line in lines)
        text = f"{HEAD}\nwith DAG({dag_id!r}, {arguments}):\n{body}\n"
        (dag_folder / f"{dag_id}.py").write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def command(
    airflow_metadata: None,
    dag_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str]]:
    """Call ``airflow permitocr`` with these words; return its status and what it said."""
    from airflow.cli.cli_parser import get_parser

    def run(words: list[str]) -> None:
        arguments = get_parser().parse_args(words)
        arguments.func(arguments)

    def call(*words: str) -> tuple[int, str]:
        monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "set back after the test")
        with pytest.raises(SystemExit) as ended:
            run(["permitocr", *words])
        assert isinstance(ended.value.code, int)
        return ended.value.code, "".join(capfd.readouterr())

    return call


@pytest.fixture
def set_pool(airflow_metadata: None) -> Iterator[Callable[[str, int], None]]:
    """Create a pool for this test."""
    from airflow.models.pool import Pool

    names = []

    def set_slots(name: str, slots: int) -> None:
        Pool.create_or_update_pool(name=name, slots=slots, description="", include_deferred=False)
        names.append(name)

    yield set_slots
    for name in names:
        Pool.delete_pool(name=name)


@pytest.fixture
def lake(sqlite_engine: sa.Engine, set_connection: SetConnection) -> sa.Engine:
    """A SQLite database with two images, reached through the connection ``lake``."""
    with sqlite_engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE permit_images (image_id text, image text, at text)"))
        connection.execute(
            sa.text("INSERT INTO permit_images VALUES ('a', '/a.jpg', '2026-05-01'), ('b', '/b.jpg', NULL)")
        )
    set_connection("lake", conn_type="sqlite", host=sqlite_engine.url.database)
    return sqlite_engine
