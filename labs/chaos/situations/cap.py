"""Caps on calls, held by shards that are killed, and by two runs of a day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from airflow_provider_permitocr.engine.ledger.calls import NOT_SENT
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.lists.shard import shards
from labs.chaos.evidence import counted_calls
from labs.chaos.scene import RATE, WAREHOUSE, Scene, Setting, Stage
from labs.chaos.task_process import TaskProcess
from labs.chaos.verdict import at_most, exactly, ledger_equals_journal, succeeded
from labs.ground.figures import Figure

_SHARDS: Final = 4
#: Which shards are killed, and at what share of the cap.
_KILLS: Final = ((0, 0.3), (2, 0.7))


def cap(stage: Stage) -> list[Figure]:
    """Let four shards share a cap, kill two of them, and resume all; then let another run use up the day."""
    from airflow_provider_permitocr import Ledger

    of_run = stage.sizes.cap
    of_day = of_run + of_run // 5
    budget = Budget(max_calls=of_run, max_calls_per_day=of_day, timezone=zone_at_noon(datetime.now(UTC)))
    capped: dict[str, Any] = {"budget": budget, "ledger": Ledger("permit_ocr", conn_id=WAREHOUSE)}
    with Scene(stage, "cap", Setting(stage.sizes.images)) as scene:
        tasks = [_start(scene, capped, number) for number in range(_SHARDS)]
        killed = 0
        for number, share in _KILLS:
            scene.wait_for_calls(round(share * of_run), tasks[number])
            killed += tasks[number].is_running
            tasks[number].kill()
        for number, _ in _KILLS:
            tasks[number] = _start(scene, capped, number, try_number=2)
        ends = [task.end() for task in tasks]
        ends += [_start(scene, capped, number, try_number=3).end() for number in range(_SHARDS)]
        calls_of_run = len(scene.calls())
        ends.append(scene.start("the next run", **capped).end())
        evidence, counted = scene.evidence(), counted_calls(scene.ledger, "day %")
    granted = sum(each.code != NOT_SENT for each in evidence.entries)
    last = next((end for end in ends if end.error), ends[-1])
    return [
        succeeded("tasks not killed", last),
        exactly("kills", killed, len(_KILLS)),
        at_most("calls of the run", calls_of_run, of_run),
        at_most("calls of the day", len(evidence.calls), of_day),
        exactly("granted, with the dead", granted, of_day),
        exactly("the counter of the day", counted, granted),
        *ledger_equals_journal(evidence),
    ]


def _start(scene: Scene, capped: dict[str, Any], number: int, *, try_number: int = 1) -> TaskProcess:
    return scene.start(
        try_number=try_number,
        map_index=number,
        shard=shards(_SHARDS)[number],
        max_per_second=RATE / 2 / _SHARDS,
        **capped,
    )


def zone_at_noon(now: datetime) -> str:
    """Name a time zone where it is about noon, so that no day ends during the scenario.

    :param now: in UTC.
    """
    return f"Etc/GMT{now.hour - 12:+d}"  # these zones' signs are inverted
