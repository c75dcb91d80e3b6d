"""A task as a process: started, killed at any moment, or waited for."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labs.bench.measure import clean_environment

if TYPE_CHECKING:
    from labs.chaos.task import Task, TaskEnd

_START_SECONDS: Final = 120.0
_PROGRAM: Final = "labs.chaos.programs.run_task"


class TaskError(RuntimeError):
    """A task's process did something that none should; the message names its log."""


def prepare_tasks(home: Path) -> None:
    """Give tasks a separate Airflow installation, and preload everything that they import.

    As with Airflow's own workers, a process that has loaded everything forks each task.

    :param home: ``AIRFLOW_HOME``.
    """
    kept = clean_environment()
    for name in os.environ.keys() - kept.keys():
        del os.environ[name]
    os.environ |= {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    multiprocessing.get_context("forkserver").set_forkserver_preload([_PROGRAM])


class TaskProcess:
    """The process of one try of a task; it executes the operator immediately, unless it waits.

    :param clock_seconds: how far its clock is ahead; None: it has the machine's clock.
    """

    def __init__(self, task: Task, clock_seconds: float | None = None) -> None:
        self._log = task.log
        self._child, childs = multiprocessing.Pipe()
        if clock_seconds is None:
            from labs.chaos.programs.run_task import run_task

            self._process: BaseProcess = multiprocessing.get_context("forkserver").Process(
                target=run_task, args=(task, childs), daemon=True
            )
        else:
            from labs.chaos.programs.run_task_at import run_task_at

            # A new interpreter, as nothing may have looked at the clock before it is set.
            self._process = multiprocessing.get_context("spawn").Process(
                target=run_task_at, args=(clock_seconds, pickle.dumps(task), childs), daemon=True
            )
        self._process.start()
        childs.close()
        self._receive(_START_SECONDS)

    def go(self) -> None:
        """Let it begin, if it waits for that."""
        self._child.send(None)

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return self._log.read_text("utf-8", errors="replace")

    @property
    def is_running(self) -> bool:
        """Whether it is still running."""
        return self._process.is_alive()

    def ends_within(self, seconds: float) -> bool:
        """Wait up to this long for it to end; return whether it did."""
        self._process.join(seconds)
        return not self._process.is_alive()

    def kill(self) -> None:
        """End it with SIGKILL, and wait until it is gone."""
        self._process.kill()
        self._process.join()
        self._child.close()

    def end(self, seconds: float = 600.0) -> TaskEnd:
        """Wait for its end, and return its report.

        :raises TaskError: it takes longer, or ended without a report.
        """
        reported = self._receive(seconds)
        self._process.join()
        self._child.close()
        assert reported is not None
        return reported

    def _receive(self, seconds: float) -> TaskEnd | None:
        try:
            if self._child.poll(seconds):
                reported: TaskEnd | None = self._child.recv()
                return reported
        except EOFError:
            self._process.join()
            raise TaskError(f"A task ended with status {self._process.exitcode}, see {self._log}") from None
        self.kill()
        raise TaskError(f"A task took longer than {seconds:.0f} s, see {self._log}")
