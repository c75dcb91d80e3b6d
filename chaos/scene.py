"""What a scenario is played with: an account, a warehouse and an image list of its own, and its tasks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from bench.images import BenchImage
from bench.warehouse import BenchWarehouse
from chaos.evidence import COMMITTED, ENTRIES, RESULTS, Entry, Evidence, Row, other_sessions, read
from chaos.sizes import Sizes
from chaos.task import Task
from chaos.task_process import TaskProcess
from demo.emulator_calls import Call, read_calls
from demo.emulator_service import EmulatorService
from demo.postgres import EmbeddedPostgres

#: Calls per second where the rate is not the point.
RATE: Final = 80
_WAREHOUSE: Final = "warehouse"


@dataclass(frozen=True)
class Stage:
    """What all scenarios share.

    :param state: directory for what they make.
    :param images: files, at least as many as any scenario lists.
    :param say: tells the person who waits what goes on.
    """

    state: Path
    sizes: Sizes
    postgres: EmbeddedPostgres
    images: Sequence[BenchImage]
    say: Callable[[str], None]


@dataclass(frozen=True)
class Setting:
    """What is particular to a scene.

    :param images: how many are listed.
    :param latency: how long a call takes, as the emulator's ``--latency`` wants it.
    :param faults: rules of the emulator's faults file.
    :param account: further fields of the account's Airflow connection.
    :param postgres: the server, in place of the one that is shared.
    """

    images: int
    latency: str = "uniform:0.05:0.2"
    faults: Sequence[Mapping[str, Any]] = ()
    account: Mapping[str, Any] | None = None
    postgres: EmbeddedPostgres | None = None


class Scene:
    """One scenario's account, warehouse and list, and its tasks; none of them outlives the context."""

    def __init__(self, stage: Stage, name: str, setting: Setting) -> None:
        self._name, self._setting = name, setting
        self.state = stage.state / name
        self.state.mkdir()
        self._postgres = setting.postgres or stage.postgres
        self._images = stage.images[: setting.images]
        faults = None
        if setting.faults:
            faults = self.state / "faults.json"
            faults.write_text(json.dumps({"rules": setting.faults}))
        self.emulator = EmulatorService(self.state, "label", setting.latency, quota=0, faults=faults)
        self._tasks: list[TaskProcess] = []

    def __enter__(self) -> Self:
        self.emulator.__enter__()
        self._postgres.create_database(self._name)
        self._warehouse = BenchWarehouse(self.dsn)
        self._warehouse.list_images("images", self._images)
        self.emulator.wait_until_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            if task.is_running:
                task.kill()
        self.emulator.__exit__(kind, error, trace)

    @property
    def dsn(self) -> str:
        """URI of the warehouse, for libpq."""
        return self._postgres.dsn(self._name)

    def start(
        self, run_id: str = "run", *, try_number: int = 1, map_index: int = -1, **arguments: Any
    ) -> TaskProcess:
        """Start one try of the task that recognizes the list.

        :param arguments: of the operator.
        """
        task = Task(
            dag_id=self._name,
            run_id=run_id,
            try_number=try_number,
            map_index=map_index,
            arguments=_arguments() | arguments,
            connections={
                _WAREHOUSE: json.dumps(self._postgres.airflow_connection(self._name)),
                "tencentcloud_default": json.dumps(self._account()),
            },
            log=self.state / "task.log",
        )
        self._tasks.append(TaskProcess(task))
        return self._tasks[-1]

    def kill(self, task: TaskProcess) -> frozenset[str]:
        """Kill a task, and return the keys of the images that have a row then, and will have one."""
        task.kill()
        while other_sessions(self.dsn):  # the last commit may still be on its way
            time.sleep(0.01)
        return self.committed()

    def committed(self) -> frozenset[str]:
        """Return the keys of the images that have a row."""
        return frozenset(row["image_key"] for row in read(self.dsn, COMMITTED))

    def calls(self) -> list[Call]:
        """Return the calls of the emulator's journal."""
        return read_calls(self.emulator.journal)

    def wait_for_calls(self, number: int, task: TaskProcess) -> None:
        """Wait until the emulator has finished so many calls, or the task has ended."""
        while self.finished() < number and not task.ends_within(0.02):
            pass

    def finished(self) -> int:
        """Return how many calls the emulator has finished, those of other services included."""
        journal = self.emulator.journal
        return journal.read_bytes().count(b"\n")

    def evidence(self) -> Evidence:
        """Gather what is known, once all tasks have ended."""
        return Evidence(
            keys={image.digest: image.image_id for image in self._images},
            calls=self.calls(),
            rows=[Row(**row) for row in read(self.dsn, RESULTS)],
            entries=[Entry(**row) for row in read(self.dsn, ENTRIES)],
            right=self._warehouse.count_right("images", "permits"),
        )

    def _account(self) -> dict[str, Any]:
        extra = self._setting.account or {}
        return self.emulator.airflow_connection | {"extra": json.dumps(extra)}


def _arguments() -> dict[str, Any]:
    from airflow_provider_permitocr.operators.mainland_permit_ocr import CallsTable, ImageTable, ResultTable

    return {
        "source": ImageTable(
            "images", conn_id=_WAREHOUSE, key="image_id", image="image", card_side="card_side"
        ),
        "target": ResultTable("permits", conn_id=_WAREHOUSE),
        "calls_table": CallsTable("calls", conn_id=_WAREHOUSE),
        "pool": "tencent_permit_ocr",
        "max_per_second": RATE,
    }
