"""Emulators as processes of their own: each is an account with a quota, and keeps a journal."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx
import psutil

from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY, KeyPair
from demo.emulator_calls import Call, read_calls
from demo.ports import HOST, free_port
from demo.processes import Service, end, spawn

QUOTA: Final = 20
#: Median 0.4 s, mean 0.45 s, longest 3 s.
LATENCY: Final = "lognormal:0.4:0.5:3"
STRANGER: Final = KeyPair("AKIDSTRANGER", "strangers-secret-key")
_READY_SECONDS: Final = 60.0
_GRACE_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Account:
    """What an emulator is to be.

    :param name: of its files.
    :param quota: calls per second; 0 for no limit.
    :param latency: how long a call takes, as ``--latency`` wants it.
    """

    name: str
    quota: int = QUOTA
    latency: str = LATENCY


class Emulator:
    """An emulator that reads labels and knows two key pairs of one account, its own and a stranger's.

    :param state: directory for its journal and log.
    """

    def __init__(self, account: Account, state: Path) -> None:
        self.account = account
        self.port = free_port()
        self.journal = state / f"{account.name}.jsonl"
        self._log = state / f"{account.name}.log"
        self._service: Service | None = None

    def __enter__(self) -> Self:
        for file in (self.journal, self._log):
            file.unlink(missing_ok=True)
        command = [
            *(sys.executable, "-m", "airflow_provider_permitocr.emulator", "--engine", "label"),
            *("--quota", str(self.account.quota), "--latency", self.account.latency),
            *("--host", HOST, "--port", str(self.port), "--journal", str(self.journal)),
            *("--secret-id", DEFAULT_SECRET_ID, "--secret-key", DEFAULT_SECRET_KEY),
            *("--secret-id", STRANGER.secret_id, "--secret-key", STRANGER.secret_key),
        ]
        self._service = Service("The emulator", self._log, spawn(command, log=self._log))
        try:
            self._wait_until_ready(self._service)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """Host and port."""
        return f"{HOST}:{self.port}"

    @property
    def airflow_connection(self) -> dict[str, str | int]:
        """The connection of type ``tencentcloud`` that leads here."""
        return {
            "conn_type": "tencentcloud",
            "login": DEFAULT_SECRET_ID,
            "password": DEFAULT_SECRET_KEY,
            "host": HOST,
            "port": self.port,
            "schema": "http",
        }

    def calls(self) -> list[Call]:
        """Return the calls that its journal holds."""
        return read_calls(self.journal)

    def check(self) -> None:
        """Find out whether it runs.

        :raises ServiceError: it has ended.
        """
        if self._service is not None:
            self._service.check()

    def stop(self) -> None:
        """End it; no effect if it does not run."""
        if self._service is not None and self._service.child.poll() is None:
            end([psutil.Process(self._service.child.pid)], grace=_GRACE_SECONDS)
        self._service = None

    def _wait_until_ready(self, service: Service) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            service.check()
            try:
                httpx.get(f"http://{self.endpoint}/_emulator/health", trust_env=False).raise_for_status()
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"The emulator does not answer, see {self._log}") from None
                time.sleep(0.1)
            else:
                return
