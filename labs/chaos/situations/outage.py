"""A database that is stopped in mid-run, again and again, for longer than a run waits, and under a kill."""

from __future__ import annotations

import time
from typing import Final

from airflow_provider_permitocr.options.run import Batch
from labs.chaos.databases import postgres_database
from labs.chaos.scene import Scene, Setting, Stage
from labs.chaos.task_process import TaskProcess
from labs.chaos.verdict import (
    every_image_once,
    exactly,
    ledger_equals_journal,
    none_of,
    paid_twice,
    some,
    succeeded,
)
from labs.ground.figures import Figure
from labs.ground.servers.postgres import EmbeddedPostgres

#: What a commit has promised, a crash must not take back.
DURABLE: Final = ("synchronous_commit=on",)
#: How long a run waits for the ledger, plus the minute for which its dead calls hold their images.
_IMPATIENT: Final = Batch(rows=50, seconds=1, patience_seconds=5)
#: Longer than a call: calls in flight when the ledger went down are answered, and stored.
_ANSWERED_SECONDS: Final = 3.0


def outage(stage: Stage) -> list[Figure]:
    """Stop PostgreSQL in mid-run, in good order and as in a crash by turns, each time for some seconds."""
    sizes = stage.sizes
    with (
        EmbeddedPostgres(stage.state / "postgres-outage", DURABLE) as postgres,
        Scene(stage, "outage", Setting(sizes.images, postgres=postgres)) as scene,
    ):
        task = scene.start()
        stopped = 0
        for number in range(1, sizes.outages + 1):
            scene.wait_for_calls(number * sizes.images // (sizes.outages + 1), task)
            if not task.is_running:
                break
            _stop(postgres, crash=number % 2 == 0)
            time.sleep(sizes.outage_seconds)
            _start_again(postgres)
            stopped += 1
            stage.say(f"PostgreSQL is back for the {number}. time")
        end = task.end()
        evidence = scene.evidence()
        left = scene.journals()
    return [
        exactly("outages", stopped, sizes.outages),
        succeeded("run, in one process", end),
        *every_image_once(evidence),
        none_of("answers paid for again", paid_twice(evidence)),
        *ledger_equals_journal(evidence),
        none_of("calls left unknown", sum(entry.code is None for entry in evidence.entries)),
        none_of("journals left", len(left)),
    ]


def journal(stage: Stage) -> list[Figure]:
    """Stop the ledger's database for longer than a run waits for it; then stop it again, and kill the run."""
    sizes = stage.sizes
    with EmbeddedPostgres(stage.state / "postgres-ledger", DURABLE) as postgres:
        postgres.create_database("ledger")
        setting = Setting(sizes.images, ledger=postgres_database(postgres, "ledger"))
        with Scene(stage, "journal", setting) as scene:
            first = scene.start("the first run", batch=_IMPATIENT)
            _stop_at(scene, postgres, sizes.images // 3, first)
            stopped_at = time.monotonic()
            gave_up = first.end()
            kept = scene.journals()
            time.sleep(max(0.0, stopped_at + sizes.long_outage_seconds - time.monotonic()))
            _start_again(postgres)
            stage.say("the run has failed, as it should, and its ledger is back")

            second = scene.start("the second run", batch=_IMPATIENT)
            _stop_at(scene, postgres, 2 * sizes.images // 3, second)
            time.sleep(_ANSWERED_SECONDS)
            was_running = second.is_running
            scene.kill(second)
            kept_by_killed = scene.journals()
            _start_again(postgres)
            stage.say("another run was killed while the ledger was down")

            last = scene.start("the third run", batch=_IMPATIENT).end()
            evidence, left = scene.evidence(), scene.journals()
    named = sum(path in gave_up.message for path in kept)
    return [
        Figure("run without its ledger", gave_up.error or "succeeded", "fails", bool(gave_up.error)),
        Figure("its journal", f"{len(kept)}, {named} named", "1, named", named == len(kept) == 1),
        exactly("runs killed without ledger", int(was_running), 1),
        some("its journals", len(kept_by_killed)),
        succeeded("the run after both", last),
        none_of("journals left", len(left)),
        *every_image_once(evidence),
        none_of("answers paid for again", paid_twice(evidence)),
        *ledger_equals_journal(evidence),
    ]


def _stop_at(scene: Scene, postgres: EmbeddedPostgres, calls: int, task: TaskProcess) -> None:
    scene.wait_for_calls(calls, task)
    _stop(postgres)


def _stop(postgres: EmbeddedPostgres, *, crash: bool = False) -> None:
    postgres.stop(crash=crash)


def _start_again(postgres: EmbeddedPostgres) -> None:
    port = postgres.port
    postgres.start()
    if postgres.port != port:
        raise RuntimeError(f"Another program took port {port} while PostgreSQL was stopped. Run it again.")
