"""A result table that another session locks in mid-run keeps no call waiting, and loses no paid answer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.emulator.faults.latency import Latency
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.permit.api import ACTION
from tests.support.mariadb import OwnMariaDb

pytestmark = pytest.mark.slow

IMAGES: Final = 30
SOON: Final = 60
LOCK: Final = {
    "postgresql": "LOCK TABLE permits IN ACCESS EXCLUSIVE MODE",
    "mysql": "LOCK TABLES permits WRITE",
}
#: What the log says of finding the session that holds the lock.
HOLDER: Final = {
    "postgresql": "pg_locks WHERE relation = 'permits'",
    "mysql": "information_schema.innodb_trx",
}
#: How long a killed run is taken for one that lives.
CLAIMS: Final = (
    ("permit_ocr_runs", "alive_until"),
    ("permit_ocr_deliveries", "session_until"),
    ("permit_ocr_images", "held_until"),
)
TOLD_AFTER_SECONDS: Final = 0.3
KILLED_AFTER_SECONDS: Final = 1.5
RUN: Final = """
import signal
import sys

from airflow_provider_permitocr.engine.delivery import delivery
from airflow_provider_permitocr import (
    Batch, ImageTable, MainlandPermitOcrOperator, ResultTable,
)

delivery._LONG_SECONDS = float(sys.argv[1])
operator = MainlandPermitOcrOperator(
    task_id="recognize",
    source=ImageTable("permit_images", conn_id="warehouse", key="image_id", image="image"),
    target=ResultTable("permits", conn_id="warehouse"),
    max_per_second=int(sys.argv[2]),
    max_in_flight=4,
    batch=Batch(rows=5, seconds=0.2),
)
signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
print(operator.execute({"run_id": sys.argv[3]}))
"""


@pytest.fixture
def kept_ledgers() -> None:
    """Databases are empty: runs are processes of their own, which make the ledger."""


@pytest.fixture(params=["psycopg", "mariadb"])
def warehouse(
    request: pytest.FixtureRequest,
    new_engine: Callable[..., sa.Engine],
    set_connection: Callable[..., None],
) -> sa.Engine:
    """An empty database, also reached through the Airflow connection ``warehouse``."""
    if request.param == "psycopg":
        postgres, name = request.getfixturevalue("postgres"), request.getfixturevalue("postgres_database")
        set_connection("warehouse", **postgres.airflow_connection(name))
        return new_engine(postgres.dsn(name, "psycopg"))
    own: OwnMariaDb = request.getfixturevalue("own_mariadb")
    own.run("DROP DATABASE IF EXISTS lake", "CREATE DATABASE lake CHARACTER SET utf8mb4")
    set_connection("warehouse", **own.airflow_connection(client="pymysql"))
    return new_engine(own.url())


@pytest.fixture
def listed(warehouse: sa.Engine, draw: Callable[..., Specimen], tmp_path: Path) -> list[Specimen]:
    """Images, listed in ``permit_images``."""
    specimens = [draw(seed=seed) for seed in range(IMAGES)]
    with warehouse.begin() as connection:
        connection.execute(sa.text("CREATE TABLE permit_images (image_id varchar(9), image varchar(999))"))
        for number, specimen in enumerate(specimens):
            path = tmp_path / f"{number}.jpg"
            path.write_bytes(specimen.image)
            connection.execute(
                sa.text("INSERT INTO permit_images VALUES (:key, :path)"),
                {"key": f"k{number:03}", "path": str(path)},
            )
    return specimens


@pytest.fixture
def emulator(
    start_label_emulator: Callable[..., RunningEmulator], connect_emulator: Callable[..., None]
) -> RunningEmulator:
    """An emulator that ``tencentcloud_default`` leads to."""
    started = start_label_emulator(latency=Latency("constant", (0.05,)))
    connect_emulator(started)
    return started


def run(run_id: str, log: Path, *, calls_per_second: int = 200) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", RUN, str(TOLD_AFTER_SECONDS), str(calls_per_second), run_id]
    with log.open("wb") as output:
        return subprocess.Popen(command, env=os.environ.copy(), stdout=output, stderr=subprocess.STDOUT)


def wait_until(is_so: Callable[[], object], what: str) -> None:
    until = time.monotonic() + SOON
    while not is_so():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def keys(warehouse: sa.Engine, statement: str) -> set[str]:
    with warehouse.connect() as connection:
        return set(connection.execute(sa.text(statement)).scalars())


def test_no_answer_is_lost_when_a_run_is_killed_while_its_table_is_locked(
    warehouse: sa.Engine, listed: list[Specimen], emulator: RunningEmulator, tmp_path: Path
) -> None:
    log, kind = tmp_path / "log", warehouse.dialect.name
    answers = "SELECT image_key FROM permit_ocr_images WHERE status = 'recognized'"
    with warehouse.connect() as locking, run("run-1", log, calls_per_second=10) as worker:
        try:
            wait_until(lambda: emulator.stats()["calls"] >= 5, "the run makes no calls")
            locking.execute(sa.text(LOCK[kind]))
            locked_at = emulator.stats()["calls"]
            wait_until(lambda: "has not answered" in log.read_text(), "the log does not tell of the lock")
            wait_until(lambda: emulator.stats()["calls"] >= locked_at + 5, "calls wait for the table")
            worker.terminate()
            time.sleep(KILLED_AFTER_SECONDS)
        finally:
            worker.kill()
        answered = {each.image for each in emulator.records() if each.action == ACTION and each.answered}
        assert 10 <= len(answered) < IMAGES
        kept = keys(warehouse, answers)
        assert len(kept) == len(answered)
        said = log.read_text()
        assert "The result table 'warehouse:" in said
        assert "is it locked?" in said
        assert HOLDER[kind] in said
        if kind == "mysql":
            locking.execute(sa.text("UNLOCK TABLES"))
        locking.rollback()
    calls = len(answered)
    with warehouse.begin() as connection:  # as if a minute had passed
        for table, column in CLAIMS:
            connection.execute(sa.text(f"UPDATE {table} SET {column} = '2026-01-01 00:00:00'"))

    log = tmp_path / "log-2"
    with run("run-2", log) as worker:
        assert worker.wait(SOON) == 0

    assert keys(warehouse, "SELECT image_key FROM permits WHERE status = 'recognized'") >= kept
    assert len(keys(warehouse, answers)) == IMAGES
    assert emulator.stats()["calls"] == calls + IMAGES - len(kept)
    assert set(Counter(emulator.stats()["calls_per_image"]).values()) == {1}
