"""Several runs at the same moment: of one list, of two lists with the same keys, of one task twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from airflow_provider_permitocr.options.run import Batch
from labs.chaos.scene import CALL_SECONDS, RATE, Listing, Scene, Setting, Stage, arguments_of
from labs.chaos.verdict import (
    at_most,
    every_image_once,
    ledger_equals_journal,
    none_of,
    of_situation,
    paid_twice,
    succeeded,
)
from labs.ground.figures import Figure

_BATCH: Final = Batch(rows=50, seconds=1, patience_seconds=5)
#: How long the least patient of dead calls holds its image.
_HOLD_SECONDS: Final = CALL_SECONDS + _BATCH.patience_seconds + 60
_SLOW: Final = "uniform:0.5:1.0"
_HELD: Final = "held by another run"


def two_runs(stage: Stage) -> list[Figure]:
    """Start two runs of one list at the same time."""
    with Scene(stage, "two_runs", Setting(stage.sizes.images)) as scene:
        names = ("one run", "another run")
        tasks = [scene.start(name, max_per_second=RATE / 2, waits=True) for name in names]
        for task in tasks:
            task.go()
        ends = [task.end() for task in tasks]
        evidence = scene.evidence()
    return [
        *(succeeded(name, end) for name, end in zip(("one run", "the other"), ends, strict=True)),
        *every_image_once(evidence),
        at_most("calls", len(evidence.calls), stage.sizes.images, "= images"),
        *ledger_equals_journal(evidence),
    ]


def two_lists(stage: Stage) -> list[Figure]:
    """Kill a run with calls under way, while another recognizes a list with the same keys in its ledger."""
    number = stage.sizes.images // 2
    with Scene(stage, "two_lists", Setting(number, latency=_SLOW)) as scene:
        images = [
            replace(image, image_id=mine.image_id)
            for image, mine in zip(stage.images[number : 2 * number], stage.images[:number], strict=True)
        ]
        other = Listing(images, "other_images", "other_permits")
        scene.add_list(other)
        first = scene.start("one run", batch=_BATCH)
        scene.wait_for_calls(number // 4, first)
        second = scene.start("the other list", batch=_BATCH, **arguments_of(other))
        scene.wait_for_calls(number // 2, second)
        first_was_running = first.is_running
        scene.kill(first)
        second_end = second.end(_HOLD_SECONDS)
        held = second.log.count(_HELD)
        evidence, others = scene.evidence(), scene.evidence(other)
    return [
        none_of("runs ended before the kill", int(not first_was_running)),
        succeeded("the other list", second_end),
        none_of("times that it waited", held),
        *every_image_once(others),
        none_of("answers paid for again", paid_twice(others)),
        at_most("its calls", len(others.calls), number, "= images"),
        *ledger_equals_journal(others),
        *of_situation("the list of the killed run", ledger_equals_journal(evidence)),
    ]


def two_tries(stage: Stage) -> list[Figure]:
    """Start a second try of a task while the first is alive and calls."""
    images = stage.sizes.images
    with Scene(stage, "two_tries", Setting(images, latency=_SLOW)) as scene:
        # Slowly, so that it still makes calls when the second has begun, even on a busy machine.
        first = scene.start("the run", batch=_BATCH, max_per_second=RATE / 4)
        scene.wait_for_calls(images // 10, first)
        was_running = first.is_running
        second = scene.start("the run", try_number=2, batch=_BATCH)
        older, newer = first.end(), second.end()
        evidence = scene.evidence()
    is_fenced = "newer try" in older.message
    return [
        none_of("tries ended before the second", int(not was_running)),
        Figure("the older try", older.error or "succeeded", "stops, and says why", is_fenced),
        succeeded("the newer try", newer),
        *every_image_once(evidence),
        none_of("answers paid for again", paid_twice(evidence)),
        at_most("calls", len(evidence.calls), images, "= images"),
        *ledger_equals_journal(evidence),
    ]
