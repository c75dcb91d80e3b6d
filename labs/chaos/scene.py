"""The setup of a scenario: a separate account, warehouse and image list, and its tasks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from airflow_provider_permitocr.permit.api import ACTION
from labs.chaos.databases import Database, postgres_database
from labs.chaos.evidence import Evidence, entries, other_sessions, recognized, results
from labs.chaos.situations.slow_line import SlowLine
from labs.chaos.sizes import Sizes
from labs.chaos.task import Task
from labs.chaos.task_process import TaskProcess
from labs.ground.emulator_calls import Call, read_calls
from labs.ground.images import BenchImage
from labs.ground.servers.emulator_service import EmulatorService
from labs.ground.servers.postgres import EmbeddedPostgres
from labs.ground.warehouse import BenchWarehouse

#: Calls per second where the rate is not the point.
RATE: Final = 80
#: Of a line of the emulator's journal.
_CALLED: Final = f'"action": "{ACTION}"'.encode()
WAREHOUSE: Final = "warehouse"
LEDGER: Final = "ledger"
#: A call that died with its worker holds its image for this, the patience of its run and a minute more.
CALL_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Stage:
    """What all scenarios share.

    :param state: working directory.
    :param images: files, at least as many as any scenario lists.
    :param say: prints progress for the person who waits.
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
    :param quota: calls per second that the emulator allows; 0: any number.
    :param faults: rules of the emulator's faults file.
    :param account: further fields of the account's Airflow connection.
    :param postgres: the server, in place of the one that is shared.
    :param ledger: holds the ledger; by default it is beside the result table.
    :param line_seconds: how long each byte is on its way to the warehouse, and back.
    """

    images: int
    latency: str = "uniform:0.05:0.2"
    quota: int = 0
    faults: Sequence[Mapping[str, Any]] = ()
    account: Mapping[str, Any] = field(default_factory=dict)
    postgres: EmbeddedPostgres | None = None
    ledger: Database | None = None
    line_seconds: float = 0.0


@dataclass(frozen=True)
class Listing:
    """A list, and the target of its result.

    :param images: the listed images.
    :param listed: table of the list.
    :param permits: table of the result.
    """

    images: Sequence[BenchImage]
    listed: str = "images"
    permits: str = "permits"


class Scene:
    """One scenario's account, warehouse and list, and its tasks; none of them outlives the context."""

    def __init__(self, stage: Stage, name: str, setting: Setting) -> None:
        self._name, self._setting = name, setting
        self.state = stage.state / name
        self.state.mkdir()
        self.journal = self.state / "journal"
        self._postgres = setting.postgres or stage.postgres
        self.listing = Listing(stage.images[: setting.images])
        faults = None
        if setting.faults:
            faults = self.state / "faults.json"
            faults.write_text(json.dumps({"rules": setting.faults}))
        self.emulator = EmulatorService(
            self.state, "label", setting.latency, quota=setting.quota, faults=faults
        )
        self._stack = ExitStack()
        self._tasks: list[TaskProcess] = []
        self._connections: dict[str, str] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.emulator)
            self._postgres.create_database(self._name)
            self.warehouse = postgres_database(self._postgres, self._name)
            self._bench_warehouse = BenchWarehouse(self._postgres.dsn(self._name))
            self.ledger = self._setting.ledger or self.warehouse
            self.add_list(self.listing)
            self.connect(WAREHOUSE, self.warehouse.airflow_connection() | self._line(stack))
            self.connect(LEDGER, self.ledger.airflow_connection())
            self.emulator.wait_until_ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            if task.is_running:
                task.kill()
        self._stack.close()

    def _line(self, stack: ExitStack) -> dict[str, Any]:
        if not self._setting.line_seconds:
            return {}
        line = SlowLine(self._postgres.port, self._setting.line_seconds)
        return {"port": stack.enter_context(line).port}

    def add_list(self, listing: Listing) -> None:
        """Make the table of a list."""
        self._bench_warehouse.list_images(listing.listed, listing.images)

    def connect(self, conn_id: str, connection: Mapping[str, Any]) -> None:
        """Add an Airflow connection for the tasks that are started from now on."""
        self._connections[conn_id] = json.dumps(dict(connection))

    def start(
        self,
        run_id: str = "run",
        *,
        try_number: int = 1,
        map_index: int = -1,
        clock_seconds: float | None = None,
        adopts: bool = False,
        waits: bool = False,
        **arguments: Any,
    ) -> TaskProcess:
        """Start one try of the task that recognizes the list.

        :param clock_seconds: by how much its worker's clock is ahead; None: it has the machine's.
        :param adopts: it takes over what the ledger does not know of, and makes no call.
        :param waits: it begins when ``go`` is called.
        :param arguments: of the operator.
        """
        task = Task(
            dag_id=self._name,
            run_id=run_id,
            try_number=try_number,
            map_index=map_index,
            arguments=self._arguments() | arguments,
            connections=self._connections | {"tencentcloud_default": json.dumps(self._account())},
            log=self.state / f"task-{len(self._tasks) + 1:03}.log",
            adopts=adopts,
            waits=waits,
        )
        self._tasks.append(TaskProcess(task, clock_seconds))
        return self._tasks[-1]

    def kill(self, task: TaskProcess) -> float:
        """Kill a task, wait until its database sessions have ended, and return the Unix time of the kill."""
        killed_at = time.time()
        task.kill()
        while other_sessions(self.warehouse):  # the last commit may still be on its way
            time.sleep(0.01)
        return killed_at

    def recognized(self) -> frozenset[str]:
        """Return the keys of the images with an answer in the ledger."""
        return recognized(self.ledger, self.listing.listed)

    def calls(self) -> list[Call]:
        """Return the calls of the emulator's journal."""
        return read_calls(self.emulator.journal)

    def wait_for_calls(self, number: int, task: TaskProcess) -> None:
        """Wait until the emulator has finished so many calls, or the task has ended."""
        while self.finished() < number and not task.ends_within(0.02):
            pass

    def finished(self) -> int:
        """Return how many calls of MainlandPermitOCR the emulator has finished."""
        return self.emulator.journal.read_bytes().count(_CALLED)

    def journals(self) -> list[str]:
        """Return the files in which tasks have stored what they could not write to the ledger."""
        return sorted(str(file) for file in self.journal.rglob("*") if file.is_file())

    def evidence(self, listing: Listing | None = None) -> Evidence:
        """Gather what is known of a list, once all tasks have ended.

        :param listing: by default the scene's own.
        """
        listing = listing or self.listing
        keys = {image.digest: image.image_id for image in listing.images}
        return Evidence(
            keys=keys,
            calls=[call for call in self.calls() if call.image is None or call.image in keys],
            rows=results(self.warehouse, listing.permits),
            entries=entries(self.ledger, listing.listed),
            right=self._bench_warehouse.count_right(listing.listed, listing.permits),
        )

    def _account(self) -> dict[str, Any]:
        extra = {"call_timeout": CALL_SECONDS} | dict(self._setting.account)
        return self.emulator.airflow_connection | {"extra": json.dumps(extra)}

    def _arguments(self) -> dict[str, Any]:
        from airflow_provider_permitocr import Ledger

        ledger = {"ledger": Ledger("permit_ocr", conn_id=LEDGER)} if self._setting.ledger else {}
        return {
            **arguments_of(self.listing),
            **ledger,
            "pool": "tencent_permit_ocr",
            "max_per_second": RATE,
            "journal": str(self.journal),
        }


def arguments_of(listing: Listing, conn_id: str = WAREHOUSE) -> dict[str, Any]:
    """Return the source and the target of a list, as the operator wants them.

    :param conn_id: connection of both.
    """
    from airflow_provider_permitocr import ImageTable, ResultTable

    return {
        "source": ImageTable(
            listing.listed, conn_id=conn_id, key="image_id", image="image", card_side="card_side"
        ),
        "target": ResultTable(listing.permits, conn_id=conn_id),
    }
