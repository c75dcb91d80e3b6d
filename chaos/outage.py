"""A database that is stopped in mid-run, again and again."""

from __future__ import annotations

import time
from typing import Final

from chaos.scene import Scene, Setting, Stage
from chaos.verdict import (
    every_image_once,
    exactly,
    ledger_equals_journal,
    none_of,
    paid_twice,
    succeeded,
)
from demo.postgres import EmbeddedPostgres
from distributed.verdict import Figure

#: What a commit has promised, a crash must not take back.
DURABLE: Final = ("synchronous_commit=on",)


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
            _stop_for_a_while(postgres, sizes.outage_seconds, crash=number % 2 == 0)
            stopped += 1
            stage.say(f"PostgreSQL is back for the {number}. time")
        end = task.end()
        evidence = scene.evidence()
    return [
        exactly("outages", stopped, sizes.outages),
        succeeded("run, in one process", end),
        *every_image_once(evidence),
        none_of("answers paid for again", paid_twice(evidence)),
        *ledger_equals_journal(evidence),
        none_of("calls left unknown", sum(entry.code is None for entry in evidence.entries)),
    ]


def _stop_for_a_while(postgres: EmbeddedPostgres, seconds: float, *, crash: bool) -> None:
    port = postgres.port
    postgres.stop(crash=crash)
    time.sleep(seconds)
    postgres.start()
    if postgres.port != port:
        raise RuntimeError(f"Another program took port {port} while PostgreSQL was stopped. Run it again.")
