"""A situation under Airflow: a DAG, an account, and a warehouse with the DAG's list."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

from labs.chaos.airflow.control import AirflowControl
from labs.chaos.databases import Database, postgres_database
from labs.chaos.evidence import Evidence, entries, other_sessions, recognized, results
from labs.chaos.scene import CALL_SECONDS
from labs.chaos.verdict import Lost
from labs.ground.emulator_calls import Call, read_calls
from labs.ground.images import BenchImage
from labs.ground.servers.airflow_api import TaskState
from labs.ground.servers.emulator_service import EmulatorService
from labs.ground.servers.postgres import EmbeddedPostgres
from labs.ground.warehouse import BenchWarehouse

_FINISHED: Final = ("success", "failed")
_LIMIT_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 0.2
_LISTED: Final = "images"


class AirflowSceneError(RuntimeError):
    """What was waited for does not come; the message quotes the task's log."""


@dataclass(frozen=True)
class AirflowScene:
    """The setup of one situation.

    :param dag_id: of the DAG, and the name of its database.
    :param images: its list.
    :param emulator: its account.
    :param faulty: an account that runs out of money after half a list.
    :param execute: runs an Airflow command, such as ``dags trigger``, and waits for its end.
    :param check: raises if a process that all need has ended.
    :param logs: directory for the tasks' logs.
    """

    dag_id: str
    images: Sequence[BenchImage]
    api: AirflowControl
    emulator: EmulatorService
    faulty: EmulatorService
    postgres: EmbeddedPostgres
    execute: Callable[..., None]
    check: Callable[[], None]
    logs: Path
    runs: list[str] = field(default_factory=list)

    @property
    def warehouse(self) -> Database:
        """The database of the list, of what comes of it and of the ledger."""
        return postgres_database(self.postgres, self.dag_id)

    @property
    def bench_warehouse(self) -> BenchWarehouse:
        """The same, as the list is made in it."""
        return BenchWarehouse(self.postgres.dsn(self.dag_id))

    def set_up(self) -> None:
        """Make the warehouse, and give Airflow its connection and the account's."""
        self.postgres.create_database(self.dag_id)
        self.bench_warehouse.list_images(_LISTED, self.images)
        self.api.set_connection(
            f"{self.dag_id}_warehouse",
            "The list, what comes of it, the ledger",
            self.postgres.airflow_connection(self.dag_id),
        )
        self.change_account(self.emulator)

    def change_account(self, emulator: EmulatorService) -> None:
        """Let the connection of the account lead to an emulator."""
        extra = {"extra": json.dumps({"call_timeout": CALL_SECONDS})}
        self.api.set_connection(f"{self.dag_id}_account", "An account", emulator.airflow_connection | extra)

    def trigger(self) -> str:
        """Start a run by hand, and return its id."""
        now = datetime.now(UTC)
        return self.follow(self.api.trigger(self.dag_id, now, now, now))

    def follow(self, run_id: str) -> str:
        """Take note of a run, and return its id."""
        self.runs.append(run_id)
        return run_id

    def started(self, number: int) -> list[str]:
        """Wait until this many runs have started, for any reason, and return their ids, oldest first."""
        self.wait_until(lambda: len(self.api.run_ids(self.dag_id)) >= number, f"{number} runs")
        return [self.follow(run_id) for run_id in self.api.run_ids(self.dag_id)[:number]]

    def task(self, run_id: str) -> TaskState:
        """Return the one task of a run."""
        return self.api.task(self.dag_id, run_id)

    def wait_for_answers(self, number: int) -> None:
        """Wait until so many answers are in the ledger."""
        self.wait_until(lambda: len(self.recognized()) >= number, f"{number} answers")

    def wait_for_try(self, run_id: str, number: int) -> None:
        """Wait until the task of a run is at its so-and-so-many-th try."""
        self.wait_until(lambda: self.task(run_id).try_number >= number, f"try {number}")

    def wait_for_end(self, run_id: str) -> TaskState:
        """Wait until a run has come to its end, and return its task as it ended."""
        finished = "the end of the run"
        self.wait_until(lambda: self.api.run_state(self.dag_id, run_id) in _FINISHED, finished)
        return self.task(run_id)

    def wait_until(self, condition: Callable[[], bool], waited_for: str) -> None:
        """Wait for something.

        :raises AirflowSceneError: it does not come true.
        """
        deadline = time.monotonic() + _LIMIT_SECONDS
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                reasons = [self.api.why_failed(self.dag_id, run_id) for run_id in self.runs]
                raise AirflowSceneError("\n".join([f"{self.dag_id}: waited for {waited_for}", *reasons]))
            time.sleep(_POLL_SECONDS)

    def process(self, run_id: str) -> psutil.Process:
        """Return the process that executes a run's task.

        :raises AirflowSceneError: there is none.
        """
        process = self.api.process(self.dag_id, run_id)
        if process is None:
            raise AirflowSceneError(f"{self.dag_id}: no process executes the task of {run_id}")
        return process

    def kill(self, process: psutil.Process) -> Lost:
        """Kill a task's process, and wait until its database sessions have ended."""
        killed_at = time.time()
        process.kill()
        process.wait()
        over_at = time.time()
        self.settle()
        return Lost(0.0, killed_at, over_at)

    def settle(self) -> None:
        """Wait until all other database sessions have ended."""
        self.wait_until(lambda: not other_sessions(self.warehouse), "the end of all sessions")

    def recognized(self) -> frozenset[str]:
        """Return the keys of the images with an answer in the ledger."""
        return recognized(self.warehouse, _LISTED)

    def calls(self) -> list[Call]:
        """Return the calls for this list that the emulators' journals hold."""
        digests = {image.digest for image in self.images}
        journals = (self.emulator.journal, self.faulty.journal)
        return [call for journal in journals for call in read_calls(journal) if call.image in digests]

    def evidence(self) -> Evidence:
        """Gather what is known."""
        return Evidence(
            keys={image.digest: image.image_id for image in self.images},
            calls=self.calls(),
            rows=results(self.warehouse, "permits"),
            entries=entries(self.warehouse, _LISTED),
            right=self.bench_warehouse.count_right(_LISTED, "permits"),
        )

    def log(self, run_id: str, task: TaskState) -> list[str]:
        """Return the lines of a task's log."""
        return self.api.log(self.dag_id, run_id, task)

    def keep_logs(self) -> None:
        """Write the logs of all tries to files, for people to look at."""
        for number, run_id in enumerate(self.runs, start=1):
            latest = self.task(run_id)
            for try_number in range(1, latest.try_number + 1):
                task = TaskState(latest.task_id, None, try_number)
                file = self.logs / f"{self.dag_id}-run{number}-try{try_number}.log"
                file.write_text("\n".join(self.log(run_id, task)))
