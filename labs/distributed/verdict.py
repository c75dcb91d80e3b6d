"""Hold the evidence to what is promised, and show both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from labs.distributed.evidence import (
    Loss,
    answered_per_second,
    arrivals_per_second_while_down,
    most_admitted_in_a_second,
    open_when_killed,
    repeated,
)
from labs.ground.emulator_calls import Call, most_in_one_second
from labs.ground.figures import Figure

#: Share of the quota that a steady run uses, and maximum share of its throttled calls. A machine that is busy
#: with other things delays answers and arrivals, which the proof must tolerate: so the requirement is lower
#: than the promise, and both are shown.
PROMISED_SHARE: Final = 0.97
REQUIRED_SHARE: Final = 0.8
PROMISED_THROTTLED: Final = 0.005
REQUIRED_THROTTLED: Final = 0.02
#: Calls per second: a few seconds do not average out where in a second each task calls.
_SLACK: Final = 0.5


@dataclass(frozen=True)
class Evidence:
    """All that is known about a finished run.

    :param calls: the emulator's journal.
    :param keys: keys of the images by the SHA-256 of their files.
    :param defects: what is wrong with the result tables.
    :param steady: Unix times between which all tasks ran undisturbed.
    :param quota: calls per second.
    """

    calls: Sequence[Call]
    keys: dict[str, str]
    defects: Sequence[str]
    steady: tuple[float, float]
    loss: Loss
    quota: int


def judge(evidence: Evidence) -> list[Figure]:
    """Compare measurements with promises."""
    return [
        Figure("images", f"{len(evidence.keys):,}", "each once, all values right", not evidence.defects),
        *_quota_figures(evidence),
        *_loss_figures(evidence),
    ]


def _quota_figures(evidence: Evidence) -> list[Figure]:
    calls, quota = evidence.calls, evidence.quota
    rate = answered_per_second(calls, *evidence.steady)
    seconds = evidence.steady[1] - evidence.steady[0]
    throttled = sum(call.throttled for call in calls)
    most = most_admitted_in_a_second(calls)
    return [
        Figure(
            f"answers a second, over {seconds:.0f} s",
            f"{rate:.2f}",
            f"{PROMISED_SHARE * quota:.1f}; fails below {REQUIRED_SHARE * quota:.1f}",
            rate >= REQUIRED_SHARE * quota,
        ),
        Figure("most let through in a second", str(most), f"at most {quota}", most <= quota),
        Figure("most sent in a second", str(most_in_one_second(calls)), "", kept=True),
        Figure(
            "throttled calls",
            f"{throttled} of {len(calls):,}",
            f"{PROMISED_THROTTLED * len(calls):.0f}; fails above {REQUIRED_THROTTLED * len(calls):.0f}",
            throttled <= REQUIRED_THROTTLED * len(calls),
        ),
    ]


def _loss_figures(evidence: Evidence) -> list[Figure]:
    loss = evidence.loss
    twice = repeated(evidence.calls, evidence.keys)
    still_open = open_when_killed(evidence.calls, evidence.keys, loss)
    while_down = arrivals_per_second_while_down(evidence.calls, loss)
    left = evidence.quota - loss.slots
    return [
        Figure(
            "images paid for twice",
            str(sum(twice.values())),
            f"at most {len(still_open)}, open when killed",
            sum(twice.values()) <= len(still_open) and twice.keys() <= still_open,
        ),
        Figure("slots of the tasks that died", str(loss.slots), "at least 1", loss.slots > 0),
        Figure(
            "seconds until they ran again", f"{loss.restarted_at - loss.killed_at:.0f}", "", loss.slots > 0
        ),
        Figure(
            "calls a second meanwhile",
            f"{while_down:.2f}",
            f"at most {left + _SLACK}",
            while_down <= left + _SLACK,
        ),
    ]
