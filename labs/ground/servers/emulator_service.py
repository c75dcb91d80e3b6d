"""The emulator in a separate process, in place of Tencent Cloud."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
import psutil

from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY, KeyPair
from labs.ground.servers.ports import HOST, free_port
from labs.ground.servers.processes import Service, end, spawn

QUOTA: Final = 20
_READY_SECONDS: Final = 90.0
_GRACE_SECONDS: Final = 5.0


class EmulatorService:
    """An emulator that knows its default key pair, and others of the same account.

    :param state: directory for its journal and log.
    :param engine: what reads the images.
    :param latency: how long a call takes, as ``--latency`` wants it.
    :param name: of its journal and log.
    :param quota: calls per second; 0 for no limit.
    :param others: the other key pairs.
    :param faults: file of scripted faults.
    """

    def __init__(
        self,
        state: Path,
        engine: str = "rapidocr",
        latency: str = "0",
        *,
        name: str = "emulator",
        quota: int = QUOTA,
        others: Sequence[KeyPair] = (),
        faults: Path | None = None,
    ) -> None:
        self.port = free_port()
        self.journal = state / f"{name}-journal.jsonl"
        self._log = state / f"{name}.log"
        module = "airflow_provider_permitocr.emulator"
        self._command = [
            *(sys.executable, "-m", module, "--engine", engine, "--quota", str(quota)),
            *("--host", HOST, "--port", str(self.port), "--latency", latency),
            *("--journal", str(self.journal)),
        ]
        for pair in (KeyPair(DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY), *others):
            self._command += ["--secret-id", pair.secret_id, "--secret-key", pair.secret_key]
        if faults:
            self._command += ["--faults", str(faults)]
        self._service: Service | None = None

    def __enter__(self) -> Self:
        self._log.unlink(missing_ok=True)
        self._service = Service("The emulator", self._log, spawn(self._command, log=self._log))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._service is not None and self._service.child.poll() is None:
            end([psutil.Process(self._service.child.pid)], grace=_GRACE_SECONDS)

    @property
    def airflow_connection(self) -> dict[str, str]:
        """The connection of type ``tencentcloud`` that leads here."""
        return {
            "conn_type": "tencentcloud",
            "login": DEFAULT_SECRET_ID,
            "password": DEFAULT_SECRET_KEY,
            "host": f"http://{HOST}:{self.port}",
        }

    def check(self) -> None:
        """Find out whether it runs.

        :raises ServiceError: it has ended.
        """
        if self._service is not None:
            self._service.check()

    def wait_until_ready(self, sleep: Callable[[float], None] = time.sleep) -> None:
        """Wait until it answers.

        :raises ServiceError: it has ended.
        :raises TimeoutError: it does not answer.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            self.check()
            try:
                self.stats()
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"The emulator does not answer, see {self._log}") from None
                sleep(0.2)
            else:
                return

    def stats(self) -> dict[str, Any]:
        """Return what the emulator counted since it was started."""
        answer = httpx.get(f"http://{HOST}:{self.port}/_emulator/stats", timeout=30, trust_env=False)
        content: dict[str, Any] = answer.raise_for_status().json()
        return content
