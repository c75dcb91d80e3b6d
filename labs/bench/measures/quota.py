"""The parts *quota* and *instead*: a quota of 20 under real Airflow, with this provider and without it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import psutil

from airflow_provider_permitocr.options.lists.shard import Shard
from labs.bench.airflow import BenchAirflow
from labs.bench.cases import (
    FOUR_SHARDS,
    ONE_TASK,
    QUOTA_CASES,
    STRANGER,
    TASK_PER_IMAGE,
    TWO_DAGS,
    WAREHOUSE,
    BenchDag,
    Case,
)
from labs.bench.emulators import STRANGER as STRANGERS_KEYS
from labs.bench.emulators import Account, Emulator
from labs.bench.figures import Figure, Part
from labs.bench.measure import Bench, run_program, start_program
from labs.bench.measures.journal import images_per_second, steady_part, without
from labs.bench.measures.rates import OtherWay, PacedRun, other_facts, quota_facts
from labs.ground.images import BenchImage, draw_images, draw_strangers_image
from labs.ground.servers.emulator_service import QUOTA
from labs.ground.servers.processes import end
from labs.ground.warehouse import BenchWarehouse

_DATABASE: Final = "quota"
_LOOP: Final = "sdk_loop"
_THREADS: Final = "sdk_threads"
_GRACE_SECONDS: Final = 15.0


@dataclass(frozen=True)
class Rates:
    """All that was measured against the quota; the runs in the order of ``QUOTA_CASES``."""

    runs: list[PacedRun]
    others: list[OtherWay]

    def part(self) -> Part:
        """Return the figures and tables."""
        ours, (loop, _, per_image) = images_per_second(self.runs[0].calls), self.others
        figures = [figure for run in self.runs for figure in run.figures()]
        figures += [
            Figure(
                "images per second against a loop over the SDK",
                ours / loop.images_per_second,
                7,
                at_least=True,
                unit="x",
            ),
            Figure(
                "images per second against one task per image",
                ours / per_image.images_per_second,
                8,
                at_least=True,
                unit="x",
            ),
        ]
        return Part("quota", tuple(figures), (quota_facts(self.runs), other_facts(self.runs[0], self.others)))


def measure_rates(bench: Bench) -> Rates:
    """Run all cases, two at a time if they mostly wait, and the other ways.

    :raises RuntimeError: a run failed; the message says why.
    """
    images = draw_images(bench.sizes.images, bench.state / "images")
    bench.postgres.create_database(_DATABASE, replace=True)
    warehouse = BenchWarehouse(bench.postgres.dsn(_DATABASE))
    bench.say("Starting Airflow: PostgreSQL, LocalExecutor, a pool of 20 for each account")
    with BenchAirflow(bench.state, bench.postgres) as airflow:
        scene = _Scene(bench, images, warehouse, airflow)
        scene.set_up()
        bench.say("One task, and one beside an external caller; meanwhile, the loop over the SDK")
        with scene.sdk_loop() as loop:
            one_task, stranger = scene.run(ONE_TASK, STRANGER)
        bench.say("Four shards, and two DAGs")
        four_shards, two_dags = scene.run(FOUR_SHARDS, TWO_DAGS)
        bench.say("32 threads around the SDK")
        threads = scene.sdk_threads()
        bench.say(f"One mapped task per image, for {bench.sizes.per_image_seconds} s")
        per_image = scene.task_per_image()
    return Rates([one_task, four_shards, two_dags, stranger], [loop[0], threads, per_image])


class _Scene:
    """Airflow, the warehouse and the images, and what is played before them."""

    def __init__(
        self, bench: Bench, images: list[BenchImage], warehouse: BenchWarehouse, airflow: BenchAirflow
    ) -> None:
        self._bench = bench
        self._images = images
        self._warehouse = warehouse
        self._airflow = airflow
        self._strangers_image = draw_strangers_image(bench.state)

    def set_up(self) -> None:
        for case in QUOTA_CASES:
            for dag in case.dags:
                self._warehouse.list_images(dag.images, self._listed(case, dag))
            self._airflow.set_pool(case.name, QUOTA)
        for other in (_LOOP, _THREADS, TASK_PER_IMAGE):
            self._warehouse.list_images(f"{other}_images", self._images)
            self._warehouse.make_plain_permits(f"{other}_permits")
        self._airflow.set_pool(TASK_PER_IMAGE, QUOTA)
        connection = self._bench.postgres.airflow_connection(_DATABASE)
        self._airflow.set_connection(WAREHOUSE, "Image lists and results", connection)
        self._airflow.wait_for_dags(
            [*(dag.dag_id for case in QUOTA_CASES for dag in case.dags), TASK_PER_IMAGE]
        )

    def run(self, *cases: Case) -> list[PacedRun]:
        """Run cases at the same time, each with a separate account and pool."""
        with contextlib.ExitStack() as stack:
            emulators = [stack.enter_context(self._account(case.name)) for case in cases]
            for case, emulator in zip(cases, emulators, strict=True):
                if case.strangers_rate:
                    stack.enter_context(self._stranger(case, emulator))
            self._airflow.finish(self._airflow.trigger([dag.dag_id for case in cases for dag in case.dags]))
        return [self._seen(case, emulator) for case, emulator in zip(cases, emulators, strict=True)]

    @contextlib.contextmanager
    def sdk_loop(self) -> Iterator[list[OtherWay]]:
        """Run the loop during the context; its results are in the list afterwards."""
        seen = list[OtherWay]()
        with self._account(_LOOP) as emulator:
            log = self._bench.state / f"{_LOOP}-program.log"
            seconds = str(self._bench.sizes.loop_seconds)
            loop = start_program(
                f"calls.{_LOOP}", self._warehouse.dsn, _LOOP, emulator.endpoint, seconds, log=log
            )
            yield seen
            loop.wait()
        seen.append(self._other("a PythonOperator's loop over the SDK", _LOOP, emulator, None))

    def sdk_threads(self) -> OtherWay:
        with self._account(_THREADS) as emulator:
            run_program(f"calls.{_THREADS}", self._warehouse.dsn, _THREADS, emulator.endpoint)
        title = "32 threads around the SDK, without pacing"
        return self._other(title, _THREADS, emulator, len(self._images))

    def task_per_image(self) -> OtherWay:
        """Give it its time from the first call on; then end Airflow, as the run would take too long."""
        with self._account(TASK_PER_IMAGE) as emulator:
            self._airflow.trigger([TASK_PER_IMAGE])
            self._airflow.wait_until(lambda: bool(emulator.journal.read_bytes()), "No task has made a call")
            time.sleep(self._bench.sizes.per_image_seconds)
            self._airflow.stop()
        return self._other("one mapped task per image, in a pool of 20", TASK_PER_IMAGE, emulator, None)

    @contextlib.contextmanager
    def _account(self, name: str) -> Iterator[Emulator]:
        with Emulator(Account(name), self._bench.state) as emulator:
            connection = emulator.airflow_connection
            self._airflow.set_connection(f"account_{name}", "An account with a quota of 20", connection)
            yield emulator

    @contextlib.contextmanager
    def _stranger(self, case: Case, emulator: Emulator) -> Iterator[None]:
        stranger = start_program(
            "calls.stranger",
            *(emulator.endpoint, STRANGERS_KEYS.secret_id, STRANGERS_KEYS.secret_key),
            *(str(case.strangers_rate), str(self._strangers_image)),
            str(self._bench.state / "stranger.txt"),
            log=self._bench.state / "stranger-program.log",
        )
        try:
            yield
            stranger.check()
        finally:
            end([psutil.Process(stranger.child.pid)], grace=_GRACE_SECONDS)

    def _seen(self, case: Case, emulator: Emulator) -> PacedRun:
        calls = emulator.calls()
        strangers = set[str]()
        if case.strangers_rate:
            strangers = set((self._bench.state / "stranger.txt").read_text().split())
        own = without(calls, strangers)
        lists = [
            {image.digest for image in self._listed(case, dag) if shard.holds(image.image_id)}
            for dag in case.dags
            for shard in (Shard(number, dag.shards) for number in range(1, dag.shards + 1))
        ]
        return PacedRun(
            case.title,
            available=QUOTA - case.strangers_rate,
            listed=len(self._images),
            right=sum(self._warehouse.count_right(dag.images, dag.permits) for dag in case.dags),
            calls=own,
            account_calls=calls,
            steady=steady_part(own, lists),
        )

    def _other(self, title: str, name: str, emulator: Emulator, listed: int | None) -> OtherWay:
        right = self._warehouse.count_right(f"{name}_images", f"{name}_permits")
        return OtherWay(title, listed, right, emulator.calls())

    def _listed(self, case: Case, dag: BenchDag) -> list[BenchImage]:
        """The images of a DAG: a slice of all, so that a case's DAGs share none."""
        place = case.dags.index(dag)
        size = round(len(self._images) * dag.share)
        return self._images[place * size : (place + 1) * size]
