"""A parent for the demo that clears up after it, however it ends, ``kill -9`` included."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Final

import psutil

from labs.ground.servers.processes import adopt_orphans, die_with_parent, end

_GRACE_SECONDS: Final = 10.0


def split_off_guard() -> int | None:
    """Fork: the child continues as the demo; the parent waits for it and then ends everything it left behind.

    Descendants whose parents die become children of the guard (Linux), so that none can escape. If the guard
    itself is killed, the demo gets SIGTERM and ends cleanly. Call it before any thread is started.

    :return: ``None`` in the demo; its exit status in the guard, once nothing is left.
    """
    adopt_orphans()
    set_death_signal = die_with_parent(signal.SIGTERM)
    demo = os.fork()
    if demo == 0:
        set_death_signal()
        return None
    _hand_signals_to(demo)
    status = _wait_for(demo)
    end(psutil.Process().children(), grace=_GRACE_SECONDS, everyone=True)
    return status


def _hand_signals_to(demo: int) -> None:
    def hand_on(signum: int, _frame: FrameType | None) -> None:
        if psutil.pid_exists(demo):
            os.kill(demo, signum)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends Ctrl-C to the demo as well
    signal.signal(signal.SIGTERM, hand_on)
    signal.signal(signal.SIGHUP, hand_on)


def _wait_for(demo: int) -> int:
    """Wait for the demo, burying adopted orphans that end meanwhile."""
    while True:
        pid, status = os.wait()
        if pid == demo:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
