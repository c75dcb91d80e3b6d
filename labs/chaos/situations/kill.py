"""A run that is killed with -9 again and again, and resumed each time."""

from __future__ import annotations

import random
import time
from typing import Final

from airflow_provider_permitocr.options.run import Batch
from labs.chaos.scene import Scene, Setting, Stage
from labs.chaos.task_process import TaskProcess
from labs.chaos.verdict import (
    Lost,
    every_image_once,
    exactly,
    ledger_equals_journal,
    repeated_for_kills_alone,
    succeeded,
)
from labs.ground.figures import Figure

_SEED: Final = 20261123
#: Slower than possible, so that a list outlasts many kills, and tries progress between them.
_RATE: Final = 20
#: Patience is part of how long a dead call holds its image, which the last try waits for.
_BATCH: Final = Batch(rows=5, seconds=0.5, patience_seconds=5)
#: Share of the kills that come while a try still looks the list over, and how long that takes.
_EARLY: Final = 0.2
_START_SECONDS: Final = 1.0
_SAY_EVERY: Final = 10


def kill(stage: Stage) -> list[Figure]:
    """Kill one run at random moments, from its first statement on, and let it come to its end at last."""
    moments = random.Random(_SEED)  # noqa: S311 - no secret comes of it
    kills: list[Lost] = []
    with Scene(stage, "kill", Setting(stage.sizes.images)) as scene:
        task, began_at = _start(scene, 1), time.time()
        left = stage.sizes.images
        for number in range(1, stage.sizes.kills + 1):
            seconds = moments.uniform(0, _START_SECONDS)
            if moments.random() >= _EARLY:
                scene.wait_for_calls(scene.finished() + 1, task)
                # Not so long that the list could end before the last kill.
                seconds = moments.uniform(0, 1.6 * left / (stage.sizes.kills - number + 3) / _RATE)
            if task.ends_within(seconds):
                break
            killed_at = scene.kill(task)
            task, over_at = _start(scene, number + 1), time.time()
            kills.append(Lost(began_at, killed_at, over_at))
            began_at = over_at
            left = stage.sizes.images - len(scene.recognized())
            if number % _SAY_EVERY == 0:
                stage.say(f"{number} kills, {left:,} images left")
        end = task.end()
        evidence = scene.evidence()
    return [
        exactly("kills", len(kills), stage.sizes.kills),
        succeeded("the last try", end),
        *every_image_once(evidence),
        *repeated_for_kills_alone(evidence, kills),
        *ledger_equals_journal(evidence),
    ]


def _start(scene: Scene, try_number: int) -> TaskProcess:
    return scene.start(try_number=try_number, max_per_second=_RATE, batch=_BATCH)
