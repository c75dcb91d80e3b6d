"""Run an emulator in a background thread, for tests, notebooks and the demo."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from airflow_provider_permitocr.emulator.engines import Engine, load_engine
from airflow_provider_permitocr.emulator.gateway.gateway import Clock
from airflow_provider_permitocr.emulator.journal import CallRecord
from airflow_provider_permitocr.emulator.options import EmulatorOptions
from airflow_provider_permitocr.emulator.server import Service, Sleep, serve

_Result = TypeVar("_Result")


class RunningEmulator:
    """An emulator that answers calls until it is stopped; made by `start_emulator`.

    :param options: what to start it with.
    :param engine: reads the images.
    :param clock: Unix time in seconds.
    :param sleep: waits for the latency and for faults' delays.
    :raises ValueError: if the faults file is wrong.
    :raises OSError: if the address is taken, or a file cannot be written.
    """

    def __init__(self, options: EmulatorOptions, engine: Engine, clock: Clock, sleep: Sleep) -> None:
        self.options = options
        self._started: Future[tuple[Service, str]] = Future()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(
            target=self._run, args=(engine, clock, sleep), name="emulator", daemon=True
        )
        self._thread.start()
        self._service, self.url = self._started.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """Host and port, as the official SDK's ``HttpProfile.endpoint`` wants them."""
        return urlsplit(self.url).netloc

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return self.options.host

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return urlsplit(self.url).port or 0

    @property
    def ca_file(self) -> Path | None:
        """The certificate of the authority to trust, if it speaks HTTPS."""
        return self.options.tls / "ca.pem" if self.options.tls else None

    def stats(self) -> dict[str, Any]:
        """Return what ``GET /_emulator/stats`` answers."""
        return self._ask(self._service.sums)

    def records(self) -> list[CallRecord]:
        """Return the calls so far, oldest first (the last 100,000)."""
        return self._ask(lambda: list(self._service.journal.records))

    def stop(self) -> None:
        """End it; calls under way get two seconds. Stopping twice is fine."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def _ask(self, question: Callable[[], _Result]) -> _Result:
        """Ask in the loop's thread, where nothing changes meanwhile; after the end, in this one."""
        if not self._thread.is_alive():
            return question()

        async def answer() -> _Result:
            return question()

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result()

    def _run(self, engine: Engine, clock: Clock, sleep: Sleep) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(engine, clock, sleep))

    async def _serve(self, engine: Engine, clock: Clock, sleep: Sleep) -> None:
        try:
            async with serve(self.options, engine, clock, sleep) as started:
                self._started.set_result(started)
                await self._stopping.wait()
        except Exception as error:
            if self._started.done():
                raise
            self._started.set_exception(error)


def start_emulator(
    options: EmulatorOptions | None = None,
    engine: Engine | None = None,
    *,
    clock: Clock = time.time,
    sleep: Sleep = asyncio.sleep,
) -> RunningEmulator:
    """Start an emulator in its own thread; it is ready when this returns.

    Use it as a context manager, or call its `stop`.

    :param options: the defaults if None: any free port of 127.0.0.1, the default key pair.
    :param engine: reads the images instead of the engine that `options` names.
    :param clock: Unix time in seconds; tests inject their own.
    :param sleep: waits for the latency and for faults' delays.
    :raises ValueError: if the faults file is wrong, or the engine unknown.
    :raises OSError: if the address is taken, or a file cannot be written.
    """
    options = options or EmulatorOptions()
    return RunningEmulator(options, engine or load_engine(options.engine), clock, sleep)
