"""Fakes of what surrounds the core: time, and the three ports of the pipeline."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import settings

# The machine may be busy with something else, so the time that an example takes tells nothing.
settings.register_profile("core", deadline=None)
settings.load_profile("core")


@dataclass
class FakeClock:
    """Seconds that pass only while someone sleeps, or when told to."""

    now: float = 100.0
    sleeps: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.sleeps.append(seconds)
            self.now += seconds


@pytest.fixture(scope="session")
def new_clock() -> type[FakeClock]:
    """For properties, where each example needs a clock of its own."""
    return FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()
