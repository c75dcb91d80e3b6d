from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from labs.ground.servers.postgres import EmbeddedPostgres, temporary_postgres
from labs.ground.servers.postgres_cluster import PostgresError


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="permitocr-") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def cluster(directory: Path) -> Path:
    with EmbeddedPostgres(directory / "postgres") as server:
        return server.data_dir


@pytest.fixture
def server(cluster: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(cluster) as running:
        yield running


def _server_pid(data_dir: Path) -> int:
    return int((data_dir / "postmaster.pid").read_text().splitlines()[0])


@pytest.mark.slow
def test_database_is_created_once_and_keeps_its_rows_across_restarts(cluster: Path) -> None:
    for _ in range(2):
        with EmbeddedPostgres(cluster) as server:
            server.create_database("kept")
            server.create_database("kept")
            with psycopg.connect(server.dsn("kept")) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS runs (run int)")
                connection.execute("INSERT INTO runs VALUES (1)")
    with EmbeddedPostgres(cluster) as server, psycopg.connect(server.dsn("kept")) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (2,)


def test_chinese_text_survives(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.dsn("postgres")) as connection:
        assert connection.execute("SELECT '港澳居民' || length('港澳居民')").fetchone() == ("港澳居民4",)


def test_wrong_password_is_refused(server: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.dsn("postgres").replace(server.password, "guessed"))


def test_stop_leaves_no_process_even_with_a_client_connected(cluster: Path) -> None:
    server = EmbeddedPostgres(cluster)
    server.start()
    pid = _server_pid(cluster)
    client = psycopg.connect(server.dsn("postgres"))
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    server.stop()
    client.close()
    assert [process for process in family if process.is_running()] == []


@pytest.mark.slow
@pytest.mark.parametrize("crash", [False, True], ids=["stopped in good order", "crashed"])
def test_what_was_committed_is_there_after_a_stop_at_the_same_port(cluster: Path, *, crash: bool) -> None:
    with EmbeddedPostgres(cluster, ["synchronous_commit=on"]) as server:
        port = server.port
        with psycopg.connect(server.dsn("postgres")) as connection:
            connection.execute("CREATE TABLE commits (number int)")
            connection.execute("INSERT INTO commits VALUES (1)")

        server.stop(crash=crash)
        server.start()

        with psycopg.connect(server.dsn("postgres")) as connection:
            assert connection.execute("SELECT * FROM commits").fetchall() == [(1,)]
            connection.execute("DROP TABLE commits")
        assert server.port == port


def test_starting_a_started_server_again_changes_nothing(server: EmbeddedPostgres, cluster: Path) -> None:
    pid = _server_pid(cluster)
    server.start()
    assert _server_pid(cluster) == pid


def test_second_server_on_the_same_directory_names_the_first(server: EmbeddedPostgres) -> None:
    with pytest.raises(PostgresError, match=f"in use by process {os.getpid()}"):
        EmbeddedPostgres(server.data_dir).start()


def test_pid_file_of_a_crashed_run_is_cleared_even_if_its_id_belongs_to_a_stranger(cluster: Path) -> None:
    (cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster}\n")
    with EmbeddedPostgres(cluster):
        assert _server_pid(cluster) != os.getpid()


@pytest.mark.slow
def test_path_longer_than_a_unix_socket_allows(directory: Path) -> None:
    deep = directory / ("directory-" * 12) / "postgres"
    with EmbeddedPostgres(deep) as server, psycopg.connect(server.dsn("postgres")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.slow
def test_killing_the_owner_ends_the_server(cluster: Path) -> None:
    script = f"""
        import pathlib, sys, time
        from labs.ground.servers.postgres import EmbeddedPostgres
        EmbeddedPostgres(pathlib.Path({str(cluster)!r})).start()
        print("started", flush=True)
        time.sleep(60)
    """
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True, env={}
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "started\n"
    server = psutil.Process(_server_pid(cluster))
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    server.wait(timeout=20)
    with EmbeddedPostgres(cluster):  # and the next one starts
        assert _server_pid(cluster) != server.pid


@pytest.mark.slow
def test_temporary_server_takes_its_files_with_it() -> None:
    with temporary_postgres() as server:
        assert server.data_dir.exists()
    assert not server.data_dir.parent.exists()
