from __future__ import annotations

import io

import pytest
from rich.console import Console

from labs.demo.follow import Pace, Watched, follow


class _Run:
    """A run of ten images, one a second from the third second on; time passes by sleeping."""

    def __init__(self, ending: str = "success") -> None:
        self.now = 0.0
        self.ending = ending

    def state(self) -> str:
        return "queued" if self.now < 2 else "running" if self.now < 12 else self.ending

    def done(self) -> int:
        return int(min(10, max(0, self.now - 2)))

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def pace(self, limit: float = 100) -> Pace:
        return Pace(poll=1, print_every=4, limit=limit, clock=lambda: self.now, sleep=self.sleep)

    def watched(self) -> Watched:
        return Watched(self.state, self.done, 10, lambda: None)


def _follow(run: _Run, *, terminal: bool, pace: Pace | None = None) -> tuple[str, str]:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=100)
    return follow(run.watched(), console, pace or run.pace()), output.getvalue()


def test_plain_output_gets_a_line_every_few_seconds_with_count_rate_and_time_left() -> None:
    state, output = _follow(_Run(), terminal=False)
    assert state == "success"
    assert output.splitlines() == [
        "  running: 2 of 10 images  0.5/s, about 16 s left",
        "  running: 6 of 10 images  0.8/s, about 5 s left",
        "  success: 10 of 10 images  0.8/s",
    ]


def test_terminal_gets_one_live_line() -> None:
    state, output = _follow(_Run(), terminal=True)
    assert state == "success"
    assert "10/10" in output
    assert "of 10 images" not in output


def test_failed_run_is_told_apart() -> None:
    assert _follow(_Run(ending="failed"), terminal=False)[0] == "failed"


def test_stuck_run_is_given_up() -> None:
    run = _Run(ending="running")
    with pytest.raises(TimeoutError, match="still running after 60 s"):
        _follow(run, terminal=False, pace=run.pace(limit=60))


def test_dead_scheduler_ends_the_wait() -> None:
    run = _Run()

    def check() -> None:
        raise RuntimeError("airflow scheduler ended by itself")

    with pytest.raises(RuntimeError, match="ended by itself"):
        follow(Watched(run.state, run.done, 10, check), Console(file=io.StringIO()), run.pace())
