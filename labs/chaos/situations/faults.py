"""A service and a network where a third of all calls fail."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Final

from airflow_provider_permitocr.options.run import CallRetry
from airflow_provider_permitocr.permit.api import ACTION
from labs.chaos.scene import Scene, Setting, Stage
from labs.chaos.verdict import at_most, ledger_equals_journal, none_of, one_row_each, succeeded
from labs.ground.figures import Figure

_SHARE: Final = 0.05
_STALL_SECONDS: Final = 10.0
_EFFECTS: Final[tuple[dict[str, Any], ...]] = (
    {"error": "InternalError"},
    {"drop": True},
    {"body": "truncated"},
    {"http_status": 502},
    {"delay": _STALL_SECONDS},
    {"error": "RequestLimitExceeded"},
)
#: Shorter than the stall.
_READ_SECONDS: Final = 3.0
_MOST_OVERHEAD: Final = 1.45


def rules() -> list[dict[str, Any]]:
    """Return rules that each affect 5 % of all calls; the first that matches a call applies."""
    return [
        {
            "match": {"action": ACTION, "rate": _SHARE / (1 - _SHARE * place), "seed": place},
            "effect": effect,
        }
        for place, effect in enumerate(_EFFECTS)
    ]


def faults(stage: Stage) -> list[Figure]:
    """Let each of six faults strike 5 % of all calls."""
    images = stage.sizes.faulty_images
    setting = Setting(images, faults=rules(), account={"read_timeout": _READ_SECONDS})
    with Scene(stage, "faults", setting) as scene:
        end = scene.start(call_retry=CallRetry(base_seconds=0.5)).end()
        time.sleep(_STALL_SECONDS)  # until the last stalled call is in the journal
        evidence = scene.evidence()
    statuses = Counter(row.status for row in evidence.rows)
    return [
        succeeded("the run", end),
        *one_row_each(evidence),
        none_of("failed or rejected", statuses.total() - statuses["recognized"] - statuses["retry"]),
        at_most("calls", len(evidence.calls), int(_MOST_OVERHEAD * images), f"= {_MOST_OVERHEAD} x images"),
        *ledger_equals_journal(evidence),
    ]
