"""Two runs that take up the same list at the same moment."""

from __future__ import annotations

from chaos.scene import RATE, Scene, Setting, Stage
from chaos.verdict import at_most, every_image_once, ledger_equals_journal, succeeded
from distributed.verdict import Figure


def two_runs(stage: Stage) -> list[Figure]:
    """Start two runs of one list at once."""
    with Scene(stage, "two_runs", Setting(stage.sizes.images)) as scene:
        tasks = [scene.start(run_id, max_per_second=RATE / 2) for run_id in ("one run", "another run")]
        ends = [task.end() for task in tasks]
        evidence = scene.evidence()
    return [
        *(succeeded(name, end) for name, end in zip(("one run", "the other"), ends, strict=True)),
        *every_image_once(evidence),
        at_most("calls", len(evidence.calls), stage.sizes.images, "= images"),
        *ledger_equals_journal(evidence),
    ]
