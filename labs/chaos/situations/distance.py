"""Shards whose database has a latency of some milliseconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from airflow_provider_permitocr.options.lists.shard import shards
from labs.chaos.evidence import Evidence
from labs.chaos.scene import Scene, Setting, Stage
from labs.chaos.verdict import at_most, every_image_once, ledger_equals_journal, succeeded
from labs.distributed.evidence import answered_per_second
from labs.ground.emulator_calls import Call
from labs.ground.figures import Figure
from labs.ground.servers.emulator_service import QUOTA

_SHARDS: Final = 4
#: On the way there, and again on the way back.
_LINE_SECONDS: Final = 0.010
_LEAST_SHARE: Final = 0.95
_LATENCY: Final = "lognormal:0.4:0.4:3"
#: Of all calls, as in the other proofs of the quota.
_THROTTLED: Final = 0.02


def distance(stage: Stage) -> list[Figure]:
    """Let four shards use the whole quota, with 20 ms of latency to list, ledger and result."""
    setting = Setting(stage.sizes.distant_images, latency=_LATENCY, quota=QUOTA, line_seconds=_LINE_SECONDS)
    with Scene(stage, "distance", setting) as scene:
        tasks = [
            scene.start(map_index=number, shard=shard, max_per_second=QUOTA / _SHARDS)
            for number, shard in enumerate(shards(_SHARDS))
        ]
        ends = [task.end() for task in tasks]
        evidence = scene.evidence()
    rate = answered_per_second(evidence.calls, *_steady(evidence))
    throttled = sum(call.throttled for call in evidence.calls)
    last = next((end for end in ends if end.error), ends[-1])
    return [
        succeeded("all shards", last),
        Figure(
            "answers a second",
            f"{rate:.2f}",
            f"≥ {_LEAST_SHARE * QUOTA:.1f} of {QUOTA}",
            rate >= _LEAST_SHARE * QUOTA,
        ),
        at_most("throttled calls", throttled, int(_THROTTLED * len(evidence.calls))),
        *every_image_once(evidence),
        *ledger_equals_journal(evidence),
    ]


def _steady(evidence: Evidence) -> tuple[float, float]:
    """Return the Unix times between which every shard calls."""
    shard_of = {entry.call_id: entry.map_index for entry in evidence.entries}
    calls = _by_shard(evidence.calls, shard_of)
    first = max(of_shard[0].arrived for of_shard in calls)
    last = min(of_shard[-1].arrived for of_shard in calls)
    return first, last


def _by_shard(calls: Sequence[Call], shard_of: Mapping[str, int]) -> list[list[Call]]:
    sorted_out = defaultdict[int, list[Call]](list)
    for call in calls:
        sorted_out[shard_of[call.trace_id or ""]].append(call)
    return list(sorted_out.values())
