"""A MariaDB server of a test's own, whose global settings nobody else feels."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import pymysql
import sqlalchemy as sa

from labs.ground.servers.ports import HOST, free_port
from labs.ground.servers.processes import end, identity, spawn, tail
from tests.support.tls_files import TlsFiles

_UNPRIVILEGED: Final = "nobody"
_START_SECONDS: Final = 60.0
_PLACES: Final = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
PASSWORD: Final = "a password/@:"


@dataclass(frozen=True)
class OwnMariaDb:
    """A server that runs.

    :param port: on 127.0.0.1.
    :param socket: path of its Unix socket.
    """

    port: int
    socket: str

    def airflow_connection(self, database: str | None = "lake", **extra: Any) -> dict[str, Any]:
        """Return an Airflow connection to a database."""
        return {
            "conn_type": "mysql",
            "host": HOST,
            "port": self.port,
            "login": "root",
            "password": PASSWORD,
            "schema": database,
            "extra": extra,
        }

    def url(self, driver: str = "pymysql") -> sa.URL:
        """Return the URL of the database ``lake`` through a driver."""
        login = {"username": "root", "password": PASSWORD}
        return sa.URL.create(
            f"mysql+{driver}",
            host=HOST,
            port=self.port,
            database="lake",
            query={"charset": "utf8mb4"},
            **login,
        )

    def run(self, *statements: str) -> list[Any]:
        """Run statements as root, and return the rows of the last."""
        with (
            pymysql.connect(
                host=HOST, port=self.port, user="root", password=PASSWORD, autocommit=True, charset="utf8mb4"
            ) as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    @contextmanager
    def settings(self, **values: str) -> Iterator[None]:
        """Have other global settings for a while; each as SQL."""
        names = list(values)
        (before,) = self.run(f"SELECT {', '.join(f'@@global.{name}' for name in names)}")
        self.run(*(f"SET GLOBAL {name} = {value}" for name, value in values.items()))
        try:
            yield
        finally:
            self.run(*(f"SET GLOBAL {name} = {value!r}" for name, value in zip(names, before, strict=True)))


def find_mariadb() -> tuple[str, str] | None:
    """Return the paths of the server and of what makes its data; None where they are not installed."""
    server, install = (shutil.which(name, path=_PLACES) for name in ("mariadbd", "mariadb-install-db"))
    return (server, install) if server and install else None


@contextmanager
def running_mariadb(programs: tuple[str, str], tls: TlsFiles) -> Iterator[OwnMariaDb]:
    """Run a server, with an empty database ``lake``; its data is gone with the context.

    :param programs: the server, and what makes its data.
    :param tls: its certificate.
    """
    # The path of a socket has to be short.
    with tempfile.TemporaryDirectory(prefix="permitocr-") as name:
        directory = Path(name)
        user = _UNPRIVILEGED if os.geteuid() == 0 else None
        if user:
            shutil.chown(directory, user)
        data, log = directory / "data", directory / "log"
        certificates = [directory / "ca.pem", directory / "server.pem", directory / "server.key"]
        for source, copy in zip((Path(tls.ca), *tls.server), certificates, strict=True):
            shutil.copyfile(source, copy)
            copy.chmod(0o600)
            if user:
                shutil.chown(copy, user)
        made = subprocess.run(
            [
                *(programs[1], "--no-defaults", f"--datadir={data}", "--skip-test-db"),
                "--auth-root-authentication-method=normal",
            ],
            capture_output=True,
            text=True,
            check=False,
            **identity(user),
        )
        if made.returncode:
            raise RuntimeError(f"MariaDB's data could not be made:\n{made.stdout}{made.stderr}")
        server = OwnMariaDb(free_port(), str(directory / "socket"))
        process = spawn(
            [
                *(programs[0], "--no-defaults", f"--datadir={data}", f"--socket={server.socket}"),
                *(f"--bind-address={HOST}", f"--port={server.port}", f"--pid-file={directory / 'pid'}"),
                *(
                    f"--ssl-{name}={file}"
                    for name, file in zip(("ca", "cert", "key"), certificates, strict=True)
                ),
                *("--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0"),
            ],
            log=log,
            user=user,
        )
        try:
            _wait_until_ready(process, server, log)
            yield server
        finally:
            end([psutil.Process(process.pid)], grace=20)


def _wait_until_ready(process: subprocess.Popen[bytes], server: OwnMariaDb, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with pymysql.connect(unix_socket=server.socket, user="root") as connection:
                cursor = connection.cursor()
                cursor.execute(f"SET PASSWORD FOR root@localhost = PASSWORD('{PASSWORD}')")
                cursor.execute(
                    f"GRANT ALL ON *.* TO root@'{HOST}' IDENTIFIED BY '{PASSWORD}' WITH GRANT OPTION"
                )
                cursor.execute("CREATE DATABASE lake CHARACTER SET utf8mb4")
            return
        except pymysql.err.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"MariaDB does not start ({error}):\n{tail(log)}") from error
        time.sleep(0.05)
