"""What a run of hostile inputs has shown."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_MEGABYTE = 1_000_000


@dataclass
class Figures:
    """The worst of what was seen.

    :param seconds: of the slowest input.
    :param slowest: its name.
    :param uncaught: what was raised that no caller expects, by input.
    :param ends: how often each end came.
    :param worker_bytes: memory that this process has taken beyond what it had at the start.
    :param reader_bytes: the most that any process took that has read files for it.
    """

    inputs: int = 0
    seconds: float = 0.0
    slowest: str = ""
    uncaught: dict[str, str] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    worker_bytes: int = 0
    reader_bytes: int = 0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure memory during a block that waits for all readers to end."""
        _forget_peak()
        before = _peak_bytes()
        yield
        self.worker_bytes = _peak_bytes() - before
        self.reader_bytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024

    def add(self, name: str, use: Callable[[], str]) -> None:
        """Use an input.

        :param use: returns the result; an exception counts as a fault of the package.
        """
        began_at = time.monotonic()
        try:
            end = use()
        except Exception as error:  # noqa: BLE001  that is what is looked for
            self.uncaught[name] = f"{type(error).__name__}: {error}"[:200]
            end = "uncaught"
        seconds = time.monotonic() - began_at
        self.inputs += 1
        self.ends[end] += 1
        if seconds > self.seconds:
            self.seconds, self.slowest = seconds, name

    def is_within(self, seconds: float, most_bytes: int) -> bool:
        """Return a figure for whether every input was processed within this limit."""
        most = max(self.worker_bytes, self.reader_bytes)
        return not self.uncaught and self.seconds <= seconds and most <= most_bytes

    def __str__(self) -> str:
        lines = [
            f"{self.inputs:,} inputs, {len(self.uncaught)} uncaught",
            f"slowest: {self.seconds:.2f} s ({self.slowest})",
            f"memory: worker +{self.worker_bytes / _MEGABYTE:.0f} MB,"
            f" readers at most {self.reader_bytes / _MEGABYTE:.0f} MB each",
            *(f"  {number:>7,} {end}" for end, number in self.ends.most_common()),
            *(f"  uncaught: {name}: {error}" for name, error in list(self.uncaught.items())[:20]),
        ]
        return "\n".join(lines)


def _peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")  # proc(5)
