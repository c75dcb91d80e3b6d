"""An upgrade changes tables that an analyst has open: others read on, and every row arrives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowException

from airflow_provider_permitocr import (
    Batch,
    ImageTable,
    MainlandPermitOcrOperator,
    ResultTable,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.delivery import delivery
from airflow_provider_permitocr.sql.database import patience
from airflow_provider_permitocr.sql.dialects import mysql, postgresql
from airflow_provider_permitocr.wiring.connections.sql_engine import sql_engine
from tests.support.drivers import OF_HOOK

SOON = 60
BY_VERSION = "permit_ocr_images_by_version"
EACH = pytest.mark.parametrize("kind", [OF_HOOK, pytest.param("pymysql", marks=pytest.mark.slow)])
#: A change of a table or view that waits for its lock.
WAITING = {
    "postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = database()"
    " AND state = 'Waiting for table metadata lock' AND info LIKE 'ALTER %%'",
}


@pytest.fixture
def engine(kind: str, connect_warehouse: Callable[[str], None]) -> Iterator[sa.Engine]:
    connect_warehouse(kind)
    engine = sql_engine("warehouse")
    yield engine
    engine.dispose()


@pytest.fixture
def list_images(engine: sa.Engine, draw: Callable[..., Specimen], tmp_path: Path) -> Callable[[int], None]:
    """Add images to the list ``permit_images``."""
    listed = sa.Table(
        "permit_images",
        sa.MetaData(),
        *(sa.Column(name, sa.String(200)) for name in ("image_id", "image", "branch")),
    )

    def add(images: int) -> None:
        listed.metadata.create_all(engine)
        with engine.begin() as connection:
            before = connection.execute(sa.select(sa.func.count()).select_from(listed)).scalar_one()
            for number in range(before, before + images):
                path = tmp_path / f"{number}.jpg"
                path.write_bytes(draw(seed=number).image)
                row = {"image_id": f"k{number}", "image": str(path), "branch": "north"}
                connection.execute(sa.insert(listed), [row])

    return add


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch, emulator: RunningEmulator, connect_emulator: Any) -> None:
    connect_emulator(emulator)
    for module in (postgresql, mysql):
        monkeypatch.setattr(module, "LOCK_SECONDS", 1)
    monkeypatch.setattr(patience, "_BRIEFLY_SECONDS", 1)
    monkeypatch.setattr(delivery, "_SILENT_SECONDS", 5)


def run(*carried: str, patience_seconds: float = SOON) -> dict[str, Any]:
    operator = MainlandPermitOcrOperator(
        task_id="recognize",
        source=ImageTable(
            "permit_images", conn_id="warehouse", key="image_id", image="image", carry_columns=list(carried)
        ),
        target=ResultTable("permits", conn_id="warehouse", documents_view="documents"),
        max_per_second=200,
        batch=Batch(patience_seconds=patience_seconds),
        pool="tencent_permit_ocr",
    )
    return operator.execute({"run_id": "run 1"})


def lack_an_index(engine: sa.Engine) -> None:
    of_table = "" if engine.dialect.name == "postgresql" else " ON permit_ocr_images"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP INDEX {BY_VERSION}{of_table}")


def has_its_indexes(engine: sa.Engine) -> bool:
    return BY_VERSION in {each["name"] for each in sa.inspect(engine).get_indexes("permit_ocr_images")}


def _read(engine: sa.Engine, statement: str) -> list[Any]:
    """Read as another user does, who gives up after 20 s."""
    is_postgres = engine.dialect.name == "postgresql"
    patient = "SET LOCAL lock_timeout = '20s'" if is_postgres else "SET SESSION lock_wait_timeout = 20"
    with engine.connect() as connection:
        connection.exec_driver_sql(patient)
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def counted(engine: sa.Engine, table: str) -> int:
    return len(_read(engine, f"SELECT 1 FROM {table}"))


def wait_for_a_blocked_change(engine: sa.Engine, running: Future[Any]) -> None:
    until = time.monotonic() + SOON
    while True:
        with engine.connect() as connection:
            if connection.exec_driver_sql(WAITING[engine.dialect.name]).scalar_one():
                return
        assert time.monotonic() < until, "no change waits for a lock"
        assert not running.done()
        threading.Event().wait(0.02)


def analyst(engine: sa.Engine) -> sa.Connection:
    """Leave a SELECT open in a transaction."""
    connection = engine.connect().execution_options(isolation_level="REPEATABLE READ")
    for table in ("permits", "documents", "permit_ocr_images"):
        connection.exec_driver_sql(f"SELECT count(*) FROM {table}").all()
    return connection


@EACH
def test_others_read_on_during_an_upgrade_and_all_rows_arrive_once_the_transaction_ends(
    engine: sa.Engine, list_images: Callable[[int], None], emulator: RunningEmulator
) -> None:
    list_images(3)
    run()
    lack_an_index(engine)
    list_images(2)
    with ThreadPoolExecutor(1) as pool, analyst(engine) as transaction:
        upgrade = pool.submit(run, "branch")
        try:
            for _ in range(2):
                wait_for_a_blocked_change(engine, upgrade)
                assert (counted(engine, "permits"), counted(engine, "documents")) == (3, 3)
        finally:
            transaction.rollback()
        upgrade.result(SOON)
    documents = _read(engine, "SELECT image_key, branch FROM documents ORDER BY 1")
    assert documents[3:] == [("k3", "north"), ("k4", "north")]
    assert emulator.stats()["calls"] == 5


@pytest.mark.slow
@EACH
def test_rows_that_an_open_transaction_kept_out_are_in_the_ledger_and_delivered_by_the_next_run(
    engine: sa.Engine,
    list_images: Callable[[int], None],
    emulator: RunningEmulator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    list_images(3)
    run()
    lack_an_index(engine)
    list_images(2)
    with analyst(engine):
        with pytest.raises(AirflowException, match=r"another session holds a lock.*Nothing is lost"):
            run("branch", patience_seconds=2)
        assert emulator.stats()["calls"] == 5
        assert counted(engine, "permits") == 3
    assert "adding columns to the result table 'permits' failed" in caplog.text
    run("branch")
    assert emulator.stats()["calls"] == 5
    documents = _read(engine, "SELECT image_key FROM documents ORDER BY 1")
    assert documents == [("k0",), ("k1",), ("k2",), ("k3",), ("k4",)]
    assert has_its_indexes(engine)
