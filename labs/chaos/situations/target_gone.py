"""A result table that is gone in mid-run."""

from __future__ import annotations

from typing import Final

from airflow_provider_permitocr.options.run import Batch
from labs.chaos.scene import Scene, Setting, Stage
from labs.chaos.verdict import (
    every_image_once,
    exactly,
    ledger_equals_journal,
    none_of,
    of_situation,
    paid_twice,
    succeeded,
)
from labs.ground.figures import Figure

_BATCH: Final = Batch(rows=20, seconds=1, patience_seconds=5)
_AWAY: Final = "ALTER TABLE permits RENAME TO permits_elsewhere"
_BACK: Final = "ALTER TABLE permits_elsewhere RENAME TO permits"
_DROP: Final = "DROP TABLE permits"


def target_gone(stage: Stage) -> list[Figure]:
    """Remove the result table during a run; restore it, or leave it to the next run to create it again."""
    return [
        *of_situation("renamed", _play(stage, "target_renamed", _AWAY, _BACK)),
        *of_situation("dropped", _play(stage, "target_dropped", _DROP, None)),
    ]


def _play(stage: Stage, name: str, away: str, back: str | None) -> list[Figure]:
    images = stage.sizes.images // 2
    with Scene(stage, name, Setting(images)) as scene:
        task = scene.start("the first run", batch=_BATCH)
        scene.wait_for_calls(images // 2, task)
        scene.warehouse.execute(away)
        first = task.end()
        answered, known = len(scene.calls()), len(scene.recognized())
        stage.say("the run has failed, as it should")
        if back:
            scene.warehouse.execute(back)
        second = scene.start("the next run", batch=_BATCH).end()
        evidence = scene.evidence()
    is_reassuring = first.error and "Nothing is lost" in first.message
    return [
        Figure("the first run", first.error or "succeeded", "fails: nothing is lost", bool(is_reassuring)),
        exactly("calls of the first run", answered, images),
        exactly("answers in the ledger", known, images),
        succeeded("the next run", second),
        none_of("calls of the next run", len(evidence.calls) - answered),
        *every_image_once(evidence),
        none_of("answers paid for again", paid_twice(evidence)),
        *ledger_equals_journal(evidence),
    ]
