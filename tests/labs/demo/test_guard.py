from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil
import pytest

#: A demo with a grandchild whose parent is gone, in a session of its own: hard to find again.
_DEMO = """
    import os, subprocess, sys, time
    from labs.demo.guard import split_off_guard
    status = split_off_guard()
    if status is None:
        orphan = "import os, time; os.setsid(); print(os.getpid(), flush=True); time.sleep(60)"
        lost = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {orphan!r}])"
        parent = subprocess.Popen([sys.executable, "-c", lost], stdout=subprocess.PIPE, text=True)
        print(os.getpid(), parent.stdout.readline(), flush=True)
        parent.wait()
        ENDING
    sys.exit(status)
"""


@dataclass(frozen=True)
class _Running:
    guard: subprocess.Popen[str]
    demo: psutil.Process
    orphan: psutil.Process


def _is_gone(process: psutil.Process) -> bool:
    try:
        status = process.status()
    except psutil.NoSuchProcess:
        return True
    return bool(status == psutil.STATUS_ZOMBIE)  # init will bury it


def _wait_for_end(process: psutil.Process) -> None:
    deadline = time.monotonic() + 20
    while not _is_gone(process) and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.fixture
def start() -> Iterator[Callable[[str], _Running]]:
    started: list[_Running] = []

    def start_demo(ending: str) -> _Running:
        script = textwrap.dedent(_DEMO).replace("ENDING", ending)
        guard = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert guard.stdout is not None
        demo, orphan = guard.stdout.readline().split()
        running = _Running(guard, psutil.Process(int(demo)), psutil.Process(int(orphan)))
        started.append(running)
        return running

    yield start_demo
    for running in started:
        assert running.guard.stdout is not None
        running.guard.stdout.close()
        for process in (running.demo, running.orphan):
            assert _is_gone(process)


def test_orphan_of_a_finished_demo_is_ended_and_its_status_kept(start: Callable[[str], _Running]) -> None:
    assert start("sys.exit(7)").guard.wait() == 7


def test_orphan_of_a_killed_demo_is_ended(start: Callable[[str], _Running]) -> None:
    running = start("time.sleep(60)")
    running.demo.send_signal(signal.SIGKILL)
    assert running.guard.wait() == 128 + signal.SIGKILL


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_signal_to_the_guard_reaches_the_demo(
    start: Callable[[str], _Running], signum: signal.Signals
) -> None:
    running = start("time.sleep(60)")
    running.guard.send_signal(signum)
    assert running.guard.wait() == 128 + signum


def test_demo_ends_when_its_guard_is_killed(start: Callable[[str], _Running]) -> None:
    running = start("time.sleep(60)")
    running.guard.kill()
    running.guard.wait()
    _wait_for_end(running.demo)
    running.orphan.kill()  # nobody is left to adopt it
    _wait_for_end(running.orphan)
