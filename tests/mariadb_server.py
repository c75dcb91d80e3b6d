"""A private MariaDB server, for tests that change what all its sessions share."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa

from demo.ports import HOST, free_port

_START_SECONDS: Final = 60.0
_INSTALL: Final = ("--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db")


@contextmanager
def running_mariadb(directory: Path, *options: str) -> Iterator[sa.URL]:
    """Run a server with a directory of its own on a free port; yield the URL of its empty database ``lake``.

    :param options: of the server, such as ``--max-allowed-packet=1M``.
    """
    if shutil.which("mariadbd") is None or shutil.which("mariadb-install-db") is None:
        if os.environ.get("PERMITOCR_REQUIRE_MARIADB"):
            pytest.fail("there is no mariadbd, and PERMITOCR_REQUIRE_MARIADB is set")
        pytest.skip("there is no mariadbd")
    # Root may run it for itself alone; all others run it as who they are.
    user = ("--user=root",) if os.geteuid() == 0 else ()
    data, port = directory / "data", free_port()
    install = ("mariadb-install-db", *_INSTALL, *user, f"--datadir={data}")
    subprocess.run(install, check=True, capture_output=True)
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen(
            [
                *("mariadbd", "--no-defaults", *user, f"--datadir={data}", f"--port={port}"),
                *(f"--bind-address={HOST}", "--skip-networking=0", f"--socket={directory / 's'}"),
                *(f"--pid-file={directory / 'pid'}", "--innodb-buffer-pool-size=16M", *options),
            ],
            stderr=log,
        )
    try:
        url = sa.make_url(f"mysql+pymysql://root@{HOST}:{port}/?charset=utf8mb4")
        _wait(url, server)
        yield url.set(database="lake")
    finally:
        server.terminate()
        server.wait(_START_SECONDS)


def _wait(url: sa.URL, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers, and make sure that it is this one."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    end = time.monotonic() + _START_SECONDS
    while True:
        assert server.poll() is None, "the server has ended"
        try:
            with engine.connect() as connection:
                pid_file = connection.execute(sa.text("SELECT @@pid_file")).scalar_one()
                assert int(Path(pid_file).read_text()) == server.pid
                connection.execute(sa.text("CREATE DATABASE lake CHARACTER SET utf8mb4"))
                return
        except sa.exc.OperationalError:
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.05)
