"""Real pieces that several test directories share: databases, an emulator, specimens, an HTTP server."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.emulator.engines.label import LabelEngine
from airflow_provider_permitocr.emulator.options import EmulatorOptions
from airflow_provider_permitocr.emulator.running import RunningEmulator, start_emulator
from airflow_provider_permitocr.emulator.specimens import PermitKind, Specimen
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.database import patience
from airflow_provider_permitocr.sql.dialects.known import database_of
from labs.ground.servers.postgres import EmbeddedPostgres
from tests.support.collected import Collected, logged
from tests.support.cos_stand_in import DOMAIN, CosStandIn, Keys
from tests.support.databases import named_database
from tests.support.drawn_once import drawer
from tests.support.kept_ledger import KeptLedgers
from tests.support.mariadb import OwnMariaDb, find_mariadb, running_mariadb
from tests.support.pgbouncer import PgBouncer, find_pgbouncer, running_pgbouncer
from tests.support.tls_files import TlsFiles, make_tls_files

#: What Debian's package sets up: root without a password.
_LOCAL_MARIADB = "mysql+pymysql://root@127.0.0.1:3306/?charset=utf8mb4"

NewEngine = Callable[..., sa.Engine]

#: Tables are dropped before a vacuum finds anything, and each is then looked for in all buffers.
SETTINGS = ("autovacuum=off", "shared_buffers=32MB", "wal_level=minimal", "max_wal_senders=0")
#: Application of the session that empties the database between tests, in ``pg_stat_activity``.
EMPTYING = "emptying"
_END_OTHER_SESSIONS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
#: Takes a few milliseconds; making a database takes fifty, and several megabytes.
_EMPTY_DATABASE = """
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)' LOOP
            EXECUTE format('DROP SCHEMA %I CASCADE', name);
        END LOOP;
        CREATE SCHEMA public;
    END $$
"""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Databases that cannot be reached are given up soon."""
    for name in ("_AT_FIRST_SECONDS", "_BRIEFLY_SECONDS"):
        monkeypatch.setattr(patience, name, 0.2)


@pytest.fixture
def all_logged() -> Iterator[Callable[[], str]]:
    """Have every logger log all there is, and return what handlers got."""
    collected = Collected(())
    with logged(collected):
        yield lambda: "\n".join(collected.texts["log"])


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server of this test session."""
    directory = tmp_path_factory.mktemp("postgres")
    with EmbeddedPostgres(directory / "data", SETTINGS) as server:
        yield server
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def new_database(postgres: EmbeddedPostgres) -> Callable[[], str]:
    """Make an empty PostgreSQL database at each call and return its name."""
    numbers = count(1)

    def make() -> str:
        name = f"test_{next(numbers)}"
        postgres.create_database(name)
        return name

    return make


@pytest.fixture(scope="session")
def _reused_database(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture(scope="session")
def _emptying(
    postgres: EmbeddedPostgres, _reused_database: str
) -> Iterator[Callable[[], psycopg.Connection]]:
    """Return the session that empties the reused database: a new one would have to read the catalog first."""
    kept: list[psycopg.Connection] = []

    def connection() -> psycopg.Connection:
        with suppress(IndexError, psycopg.OperationalError):  # a test has ended it
            kept[-1].execute("SELECT 1")
            return kept[-1]
        dsn = postgres.dsn(_reused_database)
        kept.append(psycopg.connect(dsn, autocommit=True, application_name=EMPTYING))
        return kept[-1]

    yield connection
    for each in kept:
        each.close()


@pytest.fixture(scope="session")
def session_ledgers(tmp_path_factory: pytest.TempPathFactory) -> KeptLedgers:
    """Ledgers that are prepared once in this test session, for `kept_ledgers`."""
    return KeptLedgers(tmp_path_factory.mktemp("ledgers"))


@pytest.fixture
def kept_ledgers() -> KeptLedgers | None:
    """Databases that already hold the tables of the ledger `permit_ocr`; None: they are empty."""
    return None


@pytest.fixture
def postgres_database(
    postgres: EmbeddedPostgres,
    _reused_database: str,
    _emptying: Callable[[], psycopg.Connection],
    kept_ledgers: KeptLedgers | None,
    new_engine: NewEngine,
) -> str:
    """Name of a PostgreSQL database, emptied for this test; see `postgres` for ways to reach it."""
    connection = _emptying()
    connection.execute(_END_OTHER_SESSIONS)

    def empty() -> None:
        connection.execute(_EMPTY_DATABASE)

    if kept_ledgers is None:
        empty()
    else:
        engine = new_engine(postgres.dsn(_reused_database, "psycopg"))
        kept_ledgers.restore_postgres(engine, connection, empty)
    return _reused_database


@pytest.fixture(scope="session")
def pgbouncer(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PgBouncer]:
    """A PgBouncer in transaction mode in front of that server, where one is installed."""
    program = find_pgbouncer()
    if program is None:
        if os.environ.get("PERMITOCR_REQUIRE_PGBOUNCER"):
            pytest.fail("PgBouncer is not installed, and PERMITOCR_REQUIRE_PGBOUNCER is set")
        pytest.skip("PgBouncer is not installed; Debian's package is pgbouncer")
    with running_pgbouncer(program, tmp_path_factory.mktemp("pgbouncer") / "own", postgres) as bouncer:
        yield bouncer


def _without_tls(url: sa.URL) -> dict[str, Any]:
    """PyMySQL reads the system's certificates for each session, which takes longer than most tests."""
    asks_for_tls = any(name.startswith("ssl") for name in url.query)
    return {"ssl_disabled": True} if url.drivername == "mysql+pymysql" and not asks_for_tls else {}


@pytest.fixture
def new_engine() -> Iterator[NewEngine]:
    """Make SQLAlchemy engines set up as the provider's are; they are closed after the test."""
    with ExitStack() as stack:

        def make(url: str, **options: Any) -> sa.Engine:
            options["connect_args"] = _without_tls(sa.make_url(url)) | options.get("connect_args", {})
            engine = sa.create_engine(url, hide_parameters=True, pool_pre_ping=True, **options)
            database_of(engine).set_up(engine)
            stack.callback(engine.dispose)
            return engine

        yield make


@pytest.fixture
def postgres_engine(postgres: EmbeddedPostgres, postgres_database: str, new_engine: NewEngine) -> sa.Engine:
    """An engine on this test's PostgreSQL database, through psycopg 3."""
    return new_engine(postgres.dsn(postgres_database, "psycopg"))


@pytest.fixture
def sqlite_engine(tmp_path: Path, new_engine: NewEngine, kept_ledgers: KeptLedgers | None) -> sa.Engine:
    """An engine on an empty SQLite file of this test."""
    engine = new_engine(f"sqlite:///{tmp_path / 'warehouse.db'}")
    if kept_ledgers is not None:
        kept_ledgers.copy_sqlite(engine)
    return engine


@pytest.fixture
def duckdb_engine(tmp_path: Path, new_engine: NewEngine) -> sa.Engine:
    """An engine on an empty DuckDB file of this test."""
    return new_engine(f"duckdb:///{tmp_path / 'warehouse.duckdb'}")


#: Transactions that an earlier test left open would keep its tables from being dropped.
_OTHER_MARIADB_SESSIONS = """
    SELECT id FROM information_schema.processlist WHERE db LIKE :databases AND id <> connection_id()
"""
_MARIADB_DATABASES = "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE :databases"


def _end_mariadb_sessions(connection: sa.Connection, name: str) -> None:
    databases = {"databases": f"{name}%"}
    for session in connection.execute(sa.text(_OTHER_MARIADB_SESSIONS), databases).scalars():
        with suppress(sa.exc.OperationalError):  # it ended by itself
            connection.execute(sa.text(f"KILL {session:d}"))


def _drop_mariadb_databases(connection: sa.Connection, name: str) -> None:
    """Drop a test session's database, and those whose names begin with its own, with all that is in them."""
    databases = {"databases": f"{name}%"}
    for database in connection.execute(sa.text(_MARIADB_DATABASES), databases).scalars():
        connection.execute(sa.schema.DropSchema(database))


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[sa.URL]:
    """A database of this test session on the MariaDB or MySQL server that answers, if any."""
    server = sa.make_url(os.environ.get("PERMITOCR_TEST_MARIADB", _LOCAL_MARIADB))
    name = f"permitocr_test_{os.getpid()}s"  # no other begins with it
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", connect_args=_without_tls(server))
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    except sa.exc.OperationalError as error:
        reason = f"no MariaDB or MySQL answers at {server!r} ({type(error.orig).__name__})"
        if os.environ.get("PERMITOCR_REQUIRE_MARIADB"):
            pytest.fail(f"{reason}, and PERMITOCR_REQUIRE_MARIADB is set")
        pytest.skip(f"{reason}; PERMITOCR_TEST_MARIADB names another")
    try:
        yield server.set(database=name)
    finally:
        with engine.connect() as connection:
            _end_mariadb_sessions(connection, name)
            _drop_mariadb_databases(connection, name)
        engine.dispose()


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """Certificates of an authority, a server and a client."""
    return make_tls_files(tmp_path_factory.mktemp("tls") / "files")


@pytest.fixture(scope="session")
def own_mariadb(tls_files: TlsFiles) -> Iterator[OwnMariaDb]:
    """A MariaDB server of this test session, whose global settings nobody else feels."""
    programs = find_mariadb()
    if programs is None:
        if os.environ.get("PERMITOCR_REQUIRE_MARIADB"):
            pytest.fail("no mariadbd is installed, and PERMITOCR_REQUIRE_MARIADB is set")
        pytest.skip("no mariadbd is installed; Debian's package is mariadb-server")
    with running_mariadb(programs, tls_files) as server:
        yield server


@pytest.fixture(params=["pymysql", "mysqlclient"])
def mysql_client(request: pytest.FixtureRequest) -> str:
    """A client of MySQL that a connection's extra can name."""
    if request.param == "mysqlclient" and importlib.util.find_spec("MySQLdb") is None:
        if os.environ.get("PERMITOCR_REQUIRE_MARIADB"):
            pytest.fail("mysqlclient is not installed, and PERMITOCR_REQUIRE_MARIADB is set")
        pytest.skip("mysqlclient is not installed; see the Makefile")
    return str(request.param)


@pytest.fixture(scope="session")
def _mariadb_server(mariadb_url: sa.URL) -> Iterator[sa.Engine]:
    """Kept for all tests: a session with the server takes longer to open than to use."""
    url = mariadb_url.set(database="information_schema")
    engine = sa.create_engine(
        url, isolation_level="AUTOCOMMIT", pool_pre_ping=True, connect_args=_without_tls(url)
    )
    yield engine
    engine.dispose()


@pytest.fixture
def mariadb_engine(
    mariadb_url: sa.URL,
    _mariadb_server: sa.Engine,
    new_engine: NewEngine,
    kept_ledgers: KeptLedgers | None,
) -> sa.Engine:
    """An engine on this session's MariaDB database, emptied for this test."""
    name = str(mariadb_url.database)
    engine = new_engine(mariadb_url)
    with _mariadb_server.connect() as connection:
        _end_mariadb_sessions(connection, name)

        def empty() -> None:
            _drop_mariadb_databases(connection, name)
            connection.execute(sa.text(f"CREATE DATABASE {name} CHARACTER SET utf8mb4"))

        if kept_ledgers is None:
            empty()
        else:
            kept_ledgers.restore_mysql(engine, connection, empty)
    return engine


@pytest.fixture(params=["psycopg", "sqlite", "mariadb", "duckdb"])
def database(request: pytest.FixtureRequest) -> sa.Engine:
    """An empty database; the test runs on PostgreSQL, SQLite, MariaDB and DuckDB.

    Where a driver decides, tests also run on PostgreSQL through psycopg2: `EVERY_DRIVER`.
    """
    return named_database(request)


@pytest.fixture
def start_label_emulator() -> Iterator[Callable[..., RunningEmulator]]:
    """Start emulators with the `label` engine and no quota; `EmulatorOptions` by name, `clock`, `sleep`."""
    with ExitStack() as stack:

        def start(**options: Any) -> RunningEmulator:
            injected = {name: options.pop(name) for name in ("clock", "sleep") if name in options}
            defaults: dict[str, Any] = {"quota": 0, "engine": "label"}
            described = EmulatorOptions(**(defaults | options))
            return stack.enter_context(start_emulator(described, LabelEngine(), **injected))

        yield start


@pytest.fixture
def emulator(start_label_emulator: Callable[..., RunningEmulator]) -> RunningEmulator:
    """A running emulator with the `label` engine, the default key pair and no quota."""
    return start_label_emulator()


@pytest.fixture(scope="session")
def draw(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Specimen]:
    """Draw a specimen, small and each only once: kind, side and seed, as `draw_specimen`."""
    own = tmp_path_factory.getbasetemp()
    # The workers of xdist have theirs in a common one.
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "specimens"
    shared.mkdir(exist_ok=True)
    return drawer(shared)


@pytest.fixture(scope="session")
def front(draw: Callable[..., Specimen]) -> Specimen:
    """The front of a travel permit for Hong Kong and Macao residents."""
    return draw(PermitKind.HONG_KONG_MACAO, CardSide.FRONT)


@pytest.fixture(scope="session")
def back(draw: Callable[..., Specimen]) -> Specimen:
    """The back of the same permit as `front`."""
    return draw(PermitKind.HONG_KONG_MACAO, CardSide.BACK)


@pytest.fixture
def serve_image() -> Iterator[Callable[[bytes], str]]:
    """Put a file on a local HTTP server and return its URL."""
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = files.get(self.path.partition("?")[0])
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    def serve(content: bytes) -> str:
        path = f"/{hashlib.sha256(content).hexdigest()}"
        files[path] = content
        return f"http://127.0.0.1:{server.server_port}{path}"

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(
            target=server.serve_forever, name="image server", kwargs={"poll_interval": 0.05}
        )
        thread.start()
        yield serve
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 server of this test session."""
    from moto.server import ThreadedMotoServer

    # The server's own.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    logging.getLogger("werkzeug").setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def s3_client(s3_endpoint: str) -> Any:
    """The official client of that server; it takes any keys."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret-word",
    )


@pytest.fixture
def cos_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[CosStandIn]:
    """A stand-in of Tencent Cloud's object storage, empty, for the key pair ``AKIDcos`` and ``cos-key``."""
    resolve = socket.getaddrinfo

    def lead_to_the_store(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        here = isinstance(name, str) and name.endswith(f".{DOMAIN}")
        return resolve("127.0.0.1" if here else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", lead_to_the_store)
    with CosStandIn() as store:
        store.keys["AKIDcos"] = Keys("cos-key")
        thread = threading.Thread(
            target=store.serve_forever, name="object store", kwargs={"poll_interval": 0.05}
        )
        thread.start()
        yield store
        store.shutdown()
        thread.join()
