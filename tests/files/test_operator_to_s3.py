from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import sqlalchemy as sa

from airflow_provider_permitocr import (
    ImageTable,
    Ledger,
    MainlandPermitOcrOperator,
    PortraitFolder,
    ResultFile,
    ResultTable,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from tests.files.conftest import S3


@pytest.fixture
def listed(
    sqlite_engine: sa.Engine,
    set_connection: Callable[..., None],
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    front: Specimen,
    tmp_path: Path,
) -> ImageTable:
    """A list of one image, in a lake that the ledger is in as well."""
    connect_emulator(emulator)
    set_connection("lake", conn_type="sqlite", host=sqlite_engine.url.database)
    (tmp_path / "a.jpg").write_bytes(front.image)
    with sqlite_engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE images (id text, image text)"))
        connection.execute(sa.text("INSERT INTO images VALUES ('a', :image)"), {"image": f"{tmp_path}/a.jpg"})
    return ImageTable("images", conn_id="lake", key="id", image="image")


def task_to(path: str, listed: ImageTable) -> MainlandPermitOcrOperator:
    return MainlandPermitOcrOperator(
        task_id="recognize",
        source=listed,
        target=ResultFile(path),
        ledger=Ledger(conn_id="lake"),
        max_per_second=50,
    )


def test_a_list_becomes_an_object_in_a_notebook_whose_thread_runs_an_event_loop(
    s3: S3, listed: ImageTable
) -> None:
    task = task_to(f"s3://{s3.conn_id}@{s3.bucket}/notebook/permits.parquet", listed)

    async def run_cell() -> dict[str, object]:
        return task.execute({"run_id": "run-1"})

    assert asyncio.run(run_cell())["calls"] == 1


def test_a_list_becomes_an_object_and_the_next_run_pays_for_nothing(
    s3: S3, listed: ImageTable, front: Specimen
) -> None:
    task = task_to(f"s3://{s3.conn_id}@{s3.bucket}/permits/{{{{ params.day }}}}.parquet", listed)
    task.render_template_fields({"params": {"day": "2026-05-01"}})

    first, again = (task.execute({"run_id": "run-1"}) for _ in range(2))

    assert (first["calls"], again["calls"], again["skipped"]) == (1, 0, 1)
    assert s3.keys() == ["permits/2026-05-01.parquet"]
    content = s3.client.get_object(Bucket=s3.bucket, Key="permits/2026-05-01.parquet")["Body"].read()
    assert list(pd.read_parquet(io.BytesIO(content))["number"]) == [front.fields["Number"]]


def test_portraits_become_objects_whose_urls_the_rows_have(
    s3: S3, listed: ImageTable, sqlite_engine: sa.Engine
) -> None:
    MainlandPermitOcrOperator(
        task_id="recognize",
        source=listed,
        target=ResultTable("permits", conn_id="lake"),
        portraits=PortraitFolder(f"s3://{s3.conn_id}@{s3.bucket}/portraits"),
    ).execute({"run_id": "run-1"})

    (key,) = s3.keys()
    content = s3.client.get_object(Bucket=s3.bucket, Key=key)["Body"].read()
    assert content.startswith(b"\xff\xd8\xff")
    with sqlite_engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT profile FROM permits")).scalars().all()
    assert rows == [f"s3://{s3.bucket}/{key}"]
