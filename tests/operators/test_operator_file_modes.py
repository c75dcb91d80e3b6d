"""Files that a job makes are its owner's alone, whatever its process lets others read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_permitocr import (
    ImageTable,
    Ledger,
    MainlandPermitOcrOperator,
    ResultFile,
    ResultTable,
)
from airflow_provider_permitocr.emulator.specimens import Specimen
from tests.support.collected import collecting

REFUSE_ANSWERS = (
    "CREATE TRIGGER refuse BEFORE INSERT ON permit_ocr_answers BEGIN SELECT RAISE(ABORT, 'not this'); END"
)


@pytest.fixture
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.slow
@pytest.mark.usefixtures("_open_umask", "connected")
def test_all_files_and_folders_that_a_job_makes_are_its_owner_s_alone(
    draw: Callable[..., Specimen],
    operator: Callable[..., MainlandPermitOcrOperator],
    set_connection: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    work = tmp_path / "work"
    (work / "temporary").mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(work / "temporary"))
    images = tmp_path / "images.db"
    with closing(sqlite3.connect(images)) as connection:
        connection.execute("CREATE TABLE images (id text, image blob)")
        connection.executemany(
            "INSERT INTO images VALUES (?, ?)", [(n, draw(seed=n).image) for n in range(2)]
        )
        connection.commit()
    set_connection("lake", conn_type="sqlite", host=str(images))
    for name, conn_type in (("ledger", "sqlite"), ("sqlite", "sqlite"), ("duckdb", "duckdb")):
        set_connection(name, conn_type=conn_type, host=str(work / f"{name}.db"))

    def run() -> None:
        task = operator(
            source=ImageTable("images", conn_id="lake", key="id", image="image"),
            target=[
                ResultTable("permits", conn_id="sqlite"),
                ResultTable("permits", conn_id="duckdb"),
                *(ResultFile(f"{work}/permits.{suffix}") for suffix in ("csv", "csv.gz", "parquet")),
            ],
            list="people",
            ledger=Ledger(conn_id="ledger"),
            journal=str(work / "journals" / "of" / "this"),
        )
        task.execute({"run_id": "run-1"})

    with collecting(work) as collected:
        run()
        with closing(sqlite3.connect(work / "ledger.db")) as connection:
            connection.execute(REFUSE_ANSWERS)
        with closing(sqlite3.connect(images)) as connection:
            connection.execute("INSERT INTO images VALUES (9, ?)", [draw(seed=9).image])
            connection.commit()
        run()
        collected.end()

    made = {Path(name).relative_to(work).as_posix(): mode for name, mode in collected.modes.items()}
    del made["temporary"]
    files = {name: mode for name, mode in made.items() if not name.startswith("journals") or "." in name}
    assert {"ledger.db", "sqlite.db", "duckdb.db", "permits.csv", "permits.parquet"} <= set(files)
    assert [name for name in files if name.endswith("-refused.jsonl")]
    assert [name for name in files if name.endswith(".tmp")]
    assert {name: oct(mode) for name, mode in files.items() if mode != 0o600} == {}
    folders = {name: oct(mode) for name, mode in made.items() if name not in files}
    assert folders == dict.fromkeys(("journals", "journals/of", "journals/of/this"), oct(0o700))
