"""A real PgBouncer in transaction mode, in front of a PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import psycopg

from labs.ground.servers.ports import HOST, free_port
from labs.ground.servers.postgres import EmbeddedPostgres
from labs.ground.servers.postgres_cluster import SUPERUSER, let_others_pass
from labs.ground.servers.processes import end, spawn, tail

#: It refuses to run as root; this user exists everywhere and owns nothing.
_UNPRIVILEGED: Final = "nobody"
_START_SECONDS: Final = 30.0
#: Debian's package has it where a user's PATH does not look.
_PLACES: Final = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


@dataclass(frozen=True)
class PgBouncer:
    """A PgBouncer that runs.

    :param port: on 127.0.0.1.
    """

    server: EmbeddedPostgres
    port: int

    def airflow_connection(self, database: str, **extra: object) -> dict[str, object]:
        """Return an Airflow connection through it to a database."""
        return self.server.airflow_connection(database) | {"port": self.port, "extra": extra}

    def connect(self, database: str) -> psycopg.Connection:
        """Open a connection through it, as a stranger does."""
        return psycopg.connect(
            host=HOST,
            port=self.port,
            dbname=database,
            user=SUPERUSER,
            password=self.server.password,
            prepare_threshold=None,
            autocommit=True,
        )


def find_pgbouncer() -> str | None:
    """Return the path of the program; None where it is not installed."""
    return shutil.which("pgbouncer", path=_PLACES)


@contextmanager
def running_pgbouncer(
    program: str, directory: Path, server: EmbeddedPostgres, pool_size: int = 2
) -> Iterator[PgBouncer]:
    """Run a PgBouncer that gives each transaction any of few sessions.

    :param directory: for its files; made.
    :param pool_size: how many sessions it keeps with the server.
    """
    directory.mkdir()
    port = free_port()
    users, settings, log = directory / "users.txt", directory / "pgbouncer.ini", directory / "log"
    users.write_text(f'"{SUPERUSER}" "{server.password}"\n')
    settings.write_text(
        f"[databases]\n* = host={HOST} port={server.port}\n"
        f"[pgbouncer]\nlisten_addr = {HOST}\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = scram-sha-256\nauth_file = {users}\n"
        f"pool_mode = transaction\ndefault_pool_size = {pool_size}\nmax_client_conn = 200\n"
        # Otherwise it does not ask a server that has refused it for 15 seconds.
        "server_login_retry = 1\n"
    )
    user = _UNPRIVILEGED if os.geteuid() == 0 else None
    if user:
        for file in (directory, users, settings):
            shutil.chown(file, user)
        let_others_pass(directory)
    process = spawn([program, settings], log=log, user=user, death_signal=signal.SIGTERM)
    try:
        _wait_until_ready(process, PgBouncer(server, port), log)
        yield PgBouncer(server, port)
    finally:
        # SIGINT would wait for its clients.
        end([psutil.Process(process.pid)], grace=5)


def _wait_until_ready(process: subprocess.Popen[bytes], bouncer: PgBouncer, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            bouncer.connect("postgres").close()
            return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PgBouncer does not start ({error}):\n{tail(log)}") from error
        time.sleep(0.05)
