"""A connection to a database with some milliseconds of latency: a TCP proxy that delays every byte."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from labs.ground.servers.ports import HOST

_CHUNK: Final = 65_536


class SlowLine:
    """A proxy to a port of this machine, in a separate thread.

    :param to_port: its destination.
    :param seconds: the delay of each byte, in either direction.
    """

    def __init__(self, to_port: int, seconds: float) -> None:
        self._to_port, self._seconds = to_port, seconds
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="slow line", daemon=True)
        self._lines: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.port = server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        self._server = await asyncio.start_server(self._connect, HOST, 0)
        return self._server

    async def _close(self) -> None:
        self._server.close()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)
        # What is under way arrives, the end of each connection last.
        await asyncio.sleep(self._seconds)

    async def _connect(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, there = await asyncio.open_connection(HOST, self._to_port)
        for reader, writer in ((near, there), (far, back)):
            line = self._loop.create_task(self._carry(reader, writer))
            self._lines.add(line)
            line.add_done_callback(self._lines.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(_CHUNK):
                self._later(writer.write, chunk)
        except ConnectionError:
            pass  # the peer is notified below
        finally:
            self._later(writer.close)

    def _later(self, do: Callable[..., object], *arguments: object) -> None:
        # Timers of equal length end in the order in which they were started.
        self._loop.call_later(self._seconds, do, *arguments)
