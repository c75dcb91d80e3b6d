"""An account that runs out of money during a run, and one node of the service that wrongly reports that."""

from __future__ import annotations

from typing import Final

from airflow_provider_permitocr.permit.api import ACTION
from labs.chaos.scene import Scene, Setting, Stage
from labs.chaos.verdict import (
    at_most,
    every_image_once,
    exactly,
    failed_for_good,
    ledger_equals_journal,
    none_of,
    succeeded,
)
from labs.ground.figures import Figure

_CODE: Final = "FailedOperation.ArrearsError"
_AT_ONCE: Final = 32
#: Calls of one image that find out whether the fault holds.
_PROBES: Final = 3
_EVERY: Final = 50


def account(stage: Stage) -> list[Figure]:
    """Let every call fail for the account from a certain one on."""
    first = stage.sizes.fault_at
    rule = {"match": {"action": ACTION, "calls": [f"{first}-999999999"]}, "effect": {"error": _CODE}}
    with Scene(stage, "account", Setting(stage.sizes.images, faults=[rule])) as scene:
        end = scene.start(max_in_flight=_AT_ONCE).end()
        evidence = scene.evidence()
    refused = sum(call.code == _CODE for call in evidence.calls)
    return [
        failed_for_good("the run", end, _CODE),
        at_most(
            "calls with the fault",
            refused,
            _AT_ONCE + _PROBES,
            f"= {_AT_ONCE} at once + {_PROBES}",
        ),
        exactly("images written", len(evidence.rows), first - 1),
        none_of("images not recognized", sum(row.status != "recognized" for row in evidence.rows)),
        *ledger_equals_journal(evidence),
    ]


def bad_node(stage: Stage) -> list[Figure]:
    """Let every 50th call fail as if for the account."""
    images = stage.sizes.images
    numbers = list(range(_EVERY, 2 * images, _EVERY))
    rule = {"match": {"action": ACTION, "calls": numbers}, "effect": {"error": _CODE}}
    with Scene(stage, "bad_node", Setting(images, faults=[rule])) as scene:
        end = scene.start(max_in_flight=_AT_ONCE).end()
        evidence = scene.evidence()
    return [
        succeeded("the run", end),
        *every_image_once(evidence),
        *ledger_equals_journal(evidence),
    ]
