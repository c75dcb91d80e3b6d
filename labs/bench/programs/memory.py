"""A process's own memory."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

_EVERY_SECONDS: Final = 0.005
_MB: Final = 1_000_000
#: The course is thinned to between half of these points and all of them.
_MOST_POINTS: Final = 400


class PeakMemory:
    """Resident memory of this process during a context: its peak, its course, and its size before."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._follow, daemon=True)
        self._idle = self._peak = 0
        self._course = list[int]()

    def __enter__(self) -> Self:
        self._idle = self._peak = self._process.memory_info().rss
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._watch.join()
        self._peak = max(self._peak, _highest())

    @property
    def over_idle_mb(self) -> float:
        """Peak over idle, in megabytes."""
        return (self._peak - self._idle) / _MB

    @property
    def peak_mb(self) -> float:
        """The peak itself, in megabytes."""
        return self._peak / _MB

    def course(self) -> list[float]:
        """Return the memory at equal steps of the time, in megabytes."""
        return [each / _MB for each in self._course]

    def _follow(self) -> None:
        step = looks = 1
        while not self._done.wait(_EVERY_SECONDS):
            memory = self._process.memory_info().rss
            self._peak = max(self._peak, memory)
            looks += 1
            if looks % step:
                continue
            self._course.append(memory)
            if len(self._course) == _MOST_POINTS:
                self._course = self._course[1::2]
                step *= 2


def _highest() -> int:
    """What Linux remembers, which no look can miss; 0 elsewhere."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) * 1024 if found else 0
