"""Several targets of one list, each filled from the ledger, without a call, as often as it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_permitocr import (
    Batch,
    Ledger,
    ResultFile,
    ResultTable,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.delivery import delivery
from airflow_provider_permitocr.sql.database import patience
from labs.ground.servers.postgres import EmbeddedPostgres, temporary_postgres

pytestmark = pytest.mark.slow

ImageList = Callable[..., list[Specimen]]
Execute = Callable[..., dict[str, Any]]
Permits = Callable[[], dict[tuple[str, str], dict[str, Any]]]

LEDGER = Ledger("permit_ocr", conn_id="warehouse")
TABLE = ResultTable("permits", conn_id="warehouse")


@pytest.fixture
def mart() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server that can be stopped and started."""
    with temporary_postgres() as started:
        started.create_database("own")
        yield started


def change(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def count(engine: sa.Engine, table: str = "permits", where: str = "number IS NOT NULL") -> int:
    with engine.connect() as connection:
        return int(connection.execute(sa.text(f"SELECT count(*) FROM {table} WHERE {where}")).scalar_one())


def test_tables_in_two_databases_and_a_file_get_the_same_rows(
    execute: Execute,
    image_list: ImageList,
    connected: RunningEmulator,
    set_connection: Callable[..., None],
    warehouse: sa.Engine,
    tmp_path: Path,
) -> None:
    image_list(4)
    set_connection("lake", conn_type="sqlite", host=str(tmp_path / "lake.db"))
    target = [TABLE, ResultTable("permits", conn_id="lake"), ResultFile(f"{tmp_path}/permits.parquet")]

    summary = execute(target=target, list="permits", ledger=LEDGER)

    lake = sa.create_engine(f"sqlite:///{tmp_path / 'lake.db'}")
    of_file = pd.read_parquet(tmp_path / "permits.parquet")
    assert (summary["calls"], count(warehouse), count(lake), len(of_file)) == (4, 4, 4, 4)
    lake.dispose()


def test_a_table_that_is_added_a_year_later_is_filled_without_a_call(
    execute: Execute, image_list: ImageList, connected: RunningEmulator, warehouse: sa.Engine
) -> None:
    image_list(4)
    execute(list="permits")
    added = ResultTable("permits_too", conn_id="warehouse", mode="append")
    assert execute("run-2", target=[TABLE, added], list="permits")["calls"] == 0
    assert count(warehouse, "permits_too") == 4


def test_a_target_that_is_locked_does_not_keep_the_others_from_being_filled(
    execute: Execute,
    image_list: ImageList,
    connected: RunningEmulator,
    warehouse: sa.Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    image_list(4)
    file = ResultFile(f"{tmp_path}/permits.csv")
    other = ResultTable("permits_too", conn_id="warehouse")
    arguments: dict[str, Any] = {"target": [other, TABLE, file], "list": "permits"}
    execute(**arguments)
    image_list(0, [{"image_id": "new", "image": str(tmp_path / "1.jpg")}])
    monkeypatch.setattr(delivery, "_LONG_SECONDS", 0.5)
    monkeypatch.setattr(delivery, "_SILENT_SECONDS", 2.0)
    with warehouse.connect() as locking:
        locking.execute(sa.text("LOCK TABLE permits_too"))
        with pytest.raises(AirflowException, match=r"permits_too.*Nothing is lost.*without a call"):
            execute("run-2", **arguments, batch=Batch(patience_seconds=1))
        assert count(warehouse) == 5
        assert len(pd.read_csv(tmp_path / "permits.csv")) == 5
        locking.rollback()
    assert "'warehouse:public.permits_too' has not answered" in caplog.text
    assert execute("run-2", **arguments)["calls"] == 0
    assert count(warehouse, "permits_too") == 5
    assert connected.stats()["calls"] == 5


def test_a_target_whose_database_is_down_for_the_whole_run_is_filled_by_the_next(
    execute: Execute,
    image_list: ImageList,
    connected: RunningEmulator,
    set_connection: Callable[..., None],
    mart: EmbeddedPostgres,
    new_engine: Callable[..., sa.Engine],
    warehouse: sa.Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image_list(4)
    monkeypatch.setattr(patience, "_AT_FIRST_SECONDS", 0.5)
    set_connection("mart", **mart.airflow_connection("own"))
    arguments: dict[str, Any] = {
        "target": [ResultTable("permits", conn_id="mart"), TABLE],
        "list": "permits",
        "ledger": LEDGER,
        "batch": Batch(patience_seconds=1),
    }
    execute(**arguments)
    image_list(0, [{"image_id": f"new {n}", "image": str(tmp_path / f"{n}.jpg")} for n in range(2)])
    mart.stop()
    with pytest.raises(AirflowException, match="Nothing is lost"):
        execute("run-2", **arguments)
    assert (count(warehouse), connected.stats()["calls"]) == (6, 6)
    mart.start()
    set_connection("mart", **mart.airflow_connection("own"))
    assert execute("run-2", **arguments)["calls"] == 0
    assert count(new_engine(mart.dsn("own", "psycopg"))) == 6


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE permits", "TRUNCATE permits"],
)
def test_a_table_that_is_dropped_or_emptied_is_filled_again(
    execute: Execute, image_list: ImageList, connected: RunningEmulator, warehouse: sa.Engine, statement: str
) -> None:
    image_list(4)
    execute()
    change(warehouse, statement)
    assert execute("run-2")["calls"] == 0
    assert count(warehouse) == 4


def test_a_table_that_is_restored_from_yesterday_gets_what_came_since(
    execute: Execute, image_list: ImageList, connected: RunningEmulator, warehouse: sa.Engine, tmp_path: Path
) -> None:
    image_list(3)
    execute()
    change(warehouse, "CREATE TABLE backup AS SELECT * FROM permits")
    image_list(0, [{"image_id": f"new {n}", "image": str(tmp_path / f"{n}.jpg")} for n in range(2)])
    execute("run-2")
    assert count(warehouse) == 5
    change(warehouse, "DELETE FROM permits", "INSERT INTO permits SELECT * FROM backup")
    assert execute("run-3")["calls"] == 0
    assert count(warehouse) == 5


def test_rows_that_are_missing_in_the_middle_are_reported_and_left_alone(
    execute: Execute,
    image_list: ImageList,
    connected: RunningEmulator,
    warehouse: sa.Engine,
    caplog: pytest.LogCaptureFixture,
) -> None:
    image_list(4)
    execute()
    highest = "version < (SELECT max(version) FROM permits) OR image_key = 'k001'"
    change(warehouse, f"DELETE FROM permits WHERE image_key = 'k001' AND ({highest})")
    execute("run-2")
    assert "1 delivered row is missing from the result table" in caplog.text
    assert "airflow permitocr rebuild DAG TASK" in caplog.text
    assert count(warehouse) == 3
    assert execute("run-3", rebuild=True) == {
        **{
            "images": 4,
            "erased": 0,
            "adopted": 0,
            "protected": 0,
            "written": 4,
            "refused": 0,
            "files": 0,
            "calls": 0,
            "delivered": {"warehouse:public.permits": 4},
        },
    }
    caplog.clear()
    execute("run-4")
    assert count(warehouse) == 4
    assert "missing" not in caplog.text


@pytest.mark.parametrize("rows", [1, 10, 500])
def test_a_check_that_refuses_every_row_stops_calls_within_the_first_rows(
    execute: Execute, image_list: ImageList, connected: RunningEmulator, warehouse: sa.Engine, rows: int
) -> None:
    image_list(100)
    execute("empty", source=operator_source_of_nothing())
    change(warehouse, "ALTER TABLE permits ADD CONSTRAINT nobody CHECK (number IS NULL)")
    with pytest.raises(AirflowFailException, match=r"refuses all rows.*clear the task"):
        execute(batch=Batch(rows=rows), max_per_second=20, max_in_flight=5)
    called = connected.stats()["calls"]
    assert called < 20 + 5 + 20
    change(warehouse, "ALTER TABLE permits DROP CONSTRAINT nobody")
    again = execute("run-2")
    assert (again["calls"], count(warehouse)) == (100 - called, 100)


def operator_source_of_nothing() -> Any:
    from airflow_provider_permitocr import ImageTable

    return ImageTable(
        "permit_images",
        conn_id="warehouse",
        key="image_id",
        image="image",
        card_side="card_side",
        updated_at="uploaded_at",
        since="2020-01-01",
        until="2020-01-02",
    )


@pytest.mark.parametrize(("which", "refused"), [("k007", 1), ("k__0", 3)], ids=["one row", "every tenth"])
def test_refused_rows_are_delivered_without_a_call_once_the_check_is_mended(
    execute: Execute,
    image_list: ImageList,
    connected: RunningEmulator,
    warehouse: sa.Engine,
    which: str,
    refused: int,
) -> None:
    image_list(30)
    execute("empty", source=operator_source_of_nothing())
    check = f"CHECK (number IS NULL OR image_key NOT LIKE '{which}')"
    change(warehouse, f"ALTER TABLE permits ADD CONSTRAINT few {check}")
    assert execute()["refused"] == refused
    assert count(warehouse) == 30 - refused
    assert count(warehouse, where="error_code = 'ResultRowRefused'") == refused
    change(warehouse, "ALTER TABLE permits DROP CONSTRAINT few")
    again = execute("run-2")
    assert (again["calls"], again["refused"], count(warehouse)) == (0, 0, 30)
    assert count(warehouse, where="error_code IS NOT NULL") == 0
