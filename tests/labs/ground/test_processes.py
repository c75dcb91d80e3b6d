from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from labs.ground.servers.processes import Service, ServiceError, end, spawn

_SLEEPS = "import time; time.sleep(60)"
_DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {_SLEEPS}"


def _with_grandchild(parent: str, grandchild: str) -> list[str]:
    start = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {grandchild!r}])"
    return [sys.executable, "-c", f"{start}\n{parent}"]


def _family(child: subprocess.Popen[bytes], size: int) -> list[psutil.Process]:
    process = psutil.Process(child.pid)
    while len(process.children(recursive=True)) < size - 1:
        assert child.poll() is None
    return [process, *process.children(recursive=True)]


def _wait_for_text(log: Path, text: str) -> None:
    while not log.exists() or text not in log.read_text():
        pass


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "child.log"


@pytest.fixture
def survivors() -> Iterator[list[psutil.Process]]:
    watched: list[psutil.Process] = []
    yield watched
    # An orphan may wait a moment for init to bury it.
    alive = [p for p in watched if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    for process in alive:
        process.kill()
    assert alive == []


@pytest.mark.slow
def test_grandchildren_end_with_the_child(log: Path, survivors: list[psutil.Process]) -> None:
    child = spawn(_with_grandchild(_SLEEPS, _SLEEPS), log=log)
    survivors += _family(child, 2)
    end([psutil.Process(child.pid)], grace=0.2)


@pytest.mark.slow
def test_processes_that_ignore_the_signal_are_killed(log: Path, survivors: list[psutil.Process]) -> None:
    child = spawn(_with_grandchild(_DEAF, _DEAF), log=log)
    survivors += _family(child, 2)
    _wait_for_text(log, "deaf\ndeaf\n")
    end([psutil.Process(child.pid)], grace=0.2, everyone=True)


def test_ending_what_is_gone_already_is_fine(log: Path) -> None:
    child = spawn([sys.executable, "-c", ""], log=log)
    process = psutil.Process(child.pid)
    child.wait()
    end([process], grace=0.1)


def test_child_is_out_of_reach_of_the_terminals_ctrl_c(log: Path) -> None:
    spawn([sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"], log=log).wait()
    assert log.read_text() == "True\n"


def test_service_that_ended_by_itself_is_reported_with_the_end_of_its_log(log: Path) -> None:
    service = Service("The kettle", log, spawn([sys.executable, "-c", "exit('out of water')"], log=log))
    service.child.wait()
    with pytest.raises(ServiceError, match=r"The kettle ended by itself with status 1[\s\S]*out of water"):
        service.check()


def test_failed_step_is_reported_and_a_good_one_is_not(log: Path) -> None:
    Service("Pouring", log, spawn([sys.executable, "-c", ""], log=log)).wait()
    with pytest.raises(ServiceError, match="Pouring failed with status 3"):
        Service("Pouring", log, spawn([sys.executable, "-c", "exit(3)"], log=log)).wait()
