"""Whole runs on a real PostgreSQL that stops, loses its table or is full: no image is called for twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowException

from airflow_provider_permitocr import Batch
from airflow_provider_permitocr.emulator.faults.latency import Latency
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.delivery import delivery
from airflow_provider_permitocr.engine.run import drain
from airflow_provider_permitocr.permit.api import ACTION
from airflow_provider_permitocr.sql.ledger.deliveries import deliveries
from labs.ground.servers.postgres import EmbeddedPostgres, temporary_postgres

pytestmark = pytest.mark.slow

ImageList = Callable[..., list[Specimen]]
Permits = Callable[[], dict[tuple[str, str], dict[str, Any]]]
Execute = Callable[..., dict[str, Any]]
SetConnection = Callable[..., None]
Meanwhile = Callable[[Callable[[], object]], AbstractContextManager[None]]

SOON = 60
IMAGES = 80
END_OTHER_SESSIONS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
)
#: Grows with each transaction that has written and is over.
LAST_TRANSACTION = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
#: As PostgreSQL itself says when it cannot extend a file.
DISK_FULL = """
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'could not extend file "base/1/2": No space left on device' USING ERRCODE = '53100';
    END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION full_disk()
"""


@pytest.fixture
def kept_ledgers() -> None:
    """Databases are empty: they go down while a run makes the ledger as well."""


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that has failed gives its tables up soon; what it could not give up is free soon."""
    monkeypatch.setattr(drain, "_PATIENCE_SECONDS", 1)
    monkeypatch.setattr(deliveries, "CLAIM_SECONDS", 10)


@pytest.fixture
def server(meanwhile: Meanwhile) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server of this test alone; who connects finds it wherever it has started."""
    with temporary_postgres() as started:
        started.create_database("own")

        def follow(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
            if "port" in parameters:
                parameters["port"] = started.port

        sa.event.listen(sa.Engine, "do_connect", follow)
        yield started
        sa.event.remove(sa.Engine, "do_connect", follow)


@pytest.fixture
def warehouse(
    server: EmbeddedPostgres, set_connection: SetConnection, new_engine: Callable[..., sa.Engine]
) -> sa.Engine:
    set_connection("warehouse", **server.airflow_connection("own"))
    return new_engine(server.dsn("own", "psycopg"))


@pytest.fixture
def connected(
    start_label_emulator: Callable[..., RunningEmulator], connect_emulator: Callable[..., None]
) -> RunningEmulator:
    emulator = start_label_emulator(latency=Latency("constant", (0.1,)))
    connect_emulator(emulator)
    return emulator


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def calls_per_image(emulator: RunningEmulator) -> Counter[str]:
    return Counter(emulator.stats()["calls_per_image"])


def wait_for_calls(emulator: RunningEmulator, calls: int) -> None:
    until = time.monotonic() + SOON
    while emulator.stats()["calls"] < calls:
        assert time.monotonic() < until, "the run makes no calls"
        time.sleep(0.01)


@pytest.fixture
def meanwhile() -> Iterator[Meanwhile]:
    """Do something in another thread; what it raises is raised here.

    The thread stays: a server that it has started would end with it.
    """
    with ThreadPoolExecutor(1) as pool:

        @contextmanager
        def doing(do: Callable[[], object]) -> Iterator[None]:
            done = pool.submit(do)
            yield
            done.result(SOON)

        yield doing


def require_all_once(
    emulator: RunningEmulator, rows: dict[tuple[str, str], dict[str, Any]], images: int = IMAGES
) -> None:
    assert len(rows) == images
    assert {row["status"] for row in rows.values()} == {"recognized"}
    assert set(calls_per_image(emulator).values()) == {1}
    assert len(calls_per_image(emulator)) == images


def test_server_that_is_down_for_some_seconds_again_and_again_costs_no_call(
    server: EmbeddedPostgres,
    execute: Execute,
    meanwhile: Meanwhile,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Permits,
    journal: Path,
) -> None:
    image_list(IMAGES)

    def stop_and_start() -> None:
        for calls in (10, 30, 50):
            wait_for_calls(connected, calls)
            server.stop()
            time.sleep(1.5)
            server.start()

    with meanwhile(stop_and_start):
        summary = execute(batch=Batch(rows=5), max_in_flight=8, journal=str(journal))
    assert summary["statuses"] == {"recognized": IMAGES}
    require_all_once(connected, permits())
    assert not list(journal.glob("*"))


def test_sessions_that_are_ended_again_and_again_cost_no_call(
    server: EmbeddedPostgres,
    execute: Execute,
    meanwhile: Meanwhile,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Permits,
    journal: Path,
) -> None:
    image_list(IMAGES // 2)
    over = threading.Event()
    ended: list[bool] = []

    def end_sessions() -> None:
        with psycopg.connect(server.dsn("own"), autocommit=True) as connection:
            wait_for_calls(connected, 1)
            last = None
            while not over.wait(0.1):
                # On a busy machine a transaction may take longer than the wait, and no patience would do.
                if connection.execute(LAST_TRANSACTION).fetchone() != last:
                    ended.extend(row[0] for row in connection.execute(END_OTHER_SESSIONS))
                    last = connection.execute(LAST_TRANSACTION).fetchone()

    with meanwhile(end_sessions):
        try:
            execute(batch=Batch(rows=5), max_in_flight=8, journal=str(journal))
        finally:
            over.set()
    assert ended
    require_all_once(connected, permits(), IMAGES // 2)
    assert not list(journal.glob("*"))


def fail_while_the_ledger_is_down(
    server: EmbeddedPostgres,
    execute: Execute,
    meanwhile: Meanwhile,
    connected: RunningEmulator,
    journal: Path,
) -> str:
    """Stop the server that holds list, ledger and result in mid-run, and return what the task says."""

    def stop() -> None:
        wait_for_calls(connected, 20)
        server.stop()

    with meanwhile(stop), pytest.raises(AirflowException) as raised:
        execute(batch=Batch(rows=5, patience_seconds=2), max_in_flight=4, journal=str(journal))
    return str(raised.value)


def test_ledger_that_goes_down_leaves_its_answers_in_the_journal_for_the_next_run(
    server: EmbeddedPostgres,
    execute: Execute,
    meanwhile: Meanwhile,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Permits,
    journal: Path,
) -> None:
    image_list(IMAGES)

    said = fail_while_the_ledger_is_down(server, execute, meanwhile, connected, journal)

    (file,) = journal.iterdir()
    assert str(file) in said
    assert "the next run on this machine records it" in said
    assert file.stat().st_mode & 0o777 == 0o600
    server.start()
    execute("run-2", journal=str(journal))
    require_all_once(connected, permits())
    assert list(journal.iterdir()) == []
    assert execute("run-3", journal=str(journal))["calls"] == 0


def test_two_shards_that_find_one_journal_at_a_time_do_no_harm(
    server: EmbeddedPostgres,
    execute: Execute,
    meanwhile: Meanwhile,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Permits,
    journal: Path,
) -> None:
    image_list(IMAGES)
    fail_while_the_ledger_is_down(server, execute, meanwhile, connected, journal)
    server.start()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda shard: execute(shard=shard, journal=str(journal)), ("1/2", "2/2")))

    require_all_once(connected, permits())
    assert list(journal.iterdir()) == []


@pytest.mark.parametrize("statement", ["DROP TABLE permits", "ALTER TABLE permits RENAME TO elsewhere"])
def test_result_table_that_is_gone_stops_no_call_and_is_filled_by_the_next_run(
    execute: Execute,
    meanwhile: Meanwhile,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Permits,
    standings: Permits,
    warehouse: sa.Engine,
    journal: Path,
    statement: str,
) -> None:
    image_list(IMAGES)

    def take_away() -> None:
        wait_for_calls(connected, 5)
        with warehouse.begin() as connection:
            connection.execute(sa.text(statement))

    with meanwhile(take_away), pytest.raises(AirflowException, match="Nothing is lost") as raised:
        execute(batch=Batch(rows=5, patience_seconds=2), max_in_flight=4, journal=str(journal))
    assert "permits" in str(raised.value)
    assert "without a call" in str(raised.value)
    assert [row["status"] for row in standings().values()] == ["recognized"] * IMAGES
    assert execute(journal=str(journal))["calls"] == 0
    require_all_once(connected, permits())
    assert not list(journal.glob("*"))


def test_result_table_that_is_locked_stops_no_call_and_is_filled_by_the_next_run(
    execute: Execute,
    meanwhile: Meanwhile,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Permits,
    standings: Permits,
    warehouse: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "_SILENT_SECONDS", 2)
    image_list(IMAGES)
    over = threading.Event()

    def lock() -> None:
        wait_for_calls(connected, 5)
        with warehouse.begin() as connection:
            connection.execute(sa.text("LOCK TABLE permits IN ACCESS EXCLUSIVE MODE"))
            over.wait(SOON)

    with meanwhile(lock):
        try:
            with pytest.raises(AirflowException, match=r"locked.*Nothing is lost.*without a call"):
                execute(batch=Batch(rows=5, patience_seconds=2), max_in_flight=4)
        finally:
            over.set()
    assert [row["status"] for row in standings().values()] == ["recognized"] * IMAGES
    assert execute()["calls"] == 0
    require_all_once(connected, permits())


@pytest.mark.parametrize("table", ["permits", "permit_ocr_calls", "permit_ocr_answers"])
def test_database_whose_disk_is_full_leaves_answers_to_the_next_run(
    execute: Execute,
    meanwhile: Meanwhile,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Permits,
    standings: Permits,
    warehouse: sa.Engine,
    journal: Path,
    caplog: pytest.LogCaptureFixture,
    table: str,
) -> None:
    specimens = image_list(IMAGES)

    def fill() -> None:
        wait_for_calls(connected, 20)
        with warehouse.begin() as connection:
            connection.execute(sa.text(DISK_FULL.format(table=table)))

    with meanwhile(fill), pytest.raises(AirflowException, match="No space left on device") as raised:
        execute(batch=Batch(rows=5), max_in_flight=4, journal=str(journal))
    assert len(standings()) > 0
    said = str(raised.value) + caplog.text
    assert not [each for each in specimens if each.fields["Number"] in said or each.fields["Name"] in said]
    with warehouse.begin() as connection:
        connection.execute(sa.text(f"DROP TRIGGER full_disk ON {table}"))
    execute("run-2", journal=str(journal))
    require_all_once(connected, permits())
    assert not list(journal.glob("*"))


RUN = """
import signal

from airflow_provider_permitocr import (
    Batch, ImageTable, MainlandPermitOcrOperator, ResultTable,
)

operator = MainlandPermitOcrOperator(
    task_id="recognize",
    source=ImageTable("permit_images", conn_id="warehouse", key="image_id", image="image"),
    target=ResultTable("permits", conn_id="warehouse"),
    max_per_second=200,
    max_in_flight=30,
    batch=Batch(rows=1000, seconds=3600),
)
signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())
operator.execute({"run_id": "run-1"})
"""


def test_worker_that_is_shut_down_keeps_what_arrives_until_it_is_killed(
    start_label_emulator: Callable[..., RunningEmulator],
    connect_emulator: Callable[..., None],
    execute: Execute,
    image_list: ImageList,
    permits: Permits,
    standings: Permits,
    warehouse: sa.Engine,
    tmp_path: Path,
) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(
        '{"rules": [{"match": {"calls": ["11-14"]}, "effect": {"delay": 20}},'
        ' {"match": {"calls": ["15-18"]}, "effect": {"delay": 3}}]}'
    )
    emulator = start_label_emulator(faults=faults, latency=Latency("constant", (0.1,)))
    connect_emulator(emulator)
    image_list(IMAGES)
    with subprocess.Popen([sys.executable, "-c", RUN], env=os.environ.copy()) as worker:
        try:
            wait_for_calls(emulator, 12)
            worker.send_signal(signal.SIGTERM)
            time.sleep(5)
        finally:
            killed_at = time.time()
            worker.kill()
    answered = {
        record.image
        for record in emulator.records()
        if record.action == ACTION and record.answered and record.time + record.seconds < killed_at - 1
    }
    assert 14 <= len(answered) < IMAGES
    assert {row["image_digest"] for row in standings().values()} >= answered
    with warehouse.begin() as connection:  # as if some minutes had passed
        connection.execute(sa.text("UPDATE permit_ocr_images SET held_until = now() - interval '1 second'"))
    execute("run-2")
    assert len(permits()) == IMAGES
    repeated = [image for image, calls in calls_per_image(emulator).items() if calls > 1]
    assert set(repeated).isdisjoint(answered)
    assert len(repeated) <= 4


def test_relative_folder_for_journals_is_refused_as_it_leads_elsewhere_on_each_worker(
    operator: Callable[..., Any],
) -> None:
    with pytest.raises(ValueError, match="journal must be an absolute path, or None, not 'journal'"):
        operator(journal="journal")
