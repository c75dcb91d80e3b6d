"""Temporary keys that expire again and again during a run."""

from __future__ import annotations

from typing import Final

from labs.chaos.scene import Scene, Setting, Stage
from labs.chaos.verdict import every_image_once, ledger_equals_journal, none_of, succeeded
from labs.ground.figures import Figure

_LIFETIMES: Final = 3.5
_ROLE: Final = "qcs::cam::uin/100000000001:roleName/permit-ocr"


def role(stage: Stage) -> list[Figure]:
    """Let a run last for more than three lifetimes of its keys."""
    seconds = stage.sizes.role_seconds
    rate = stage.sizes.images / (_LIFETIMES * seconds)
    account = {"role_arn": _ROLE, "role_session_name": "chaos", "role_seconds": seconds}
    with Scene(stage, "role", Setting(stage.sizes.images, account=account)) as scene:
        end = scene.start(max_per_second=rate).end()
        issued = scene.emulator.stats()["by_action"].get("AssumeRole", 0)
        evidence = scene.evidence()
    fewest = int(_LIFETIMES)
    return [
        succeeded("the run", end),
        *every_image_once(evidence),
        none_of("calls refused", sum(call.code != "OK" for call in evidence.calls)),
        Figure(f"keys for {seconds} s each", str(issued), f"> {fewest}", issued > fewest),
        *ledger_equals_journal(evidence),
    ]
