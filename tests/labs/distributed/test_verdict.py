from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from labs.distributed.evidence import Loss
from labs.distributed.verdict import Evidence, judge
from labs.ground.emulator_calls import Call
from labs.ground.figures import show

QUOTA = 20
KILLED_AT, RESTARTED_AT, END = 1010.0, 1020.0, 1030.0


def paced(per_second: int, start: float, end: float) -> list[Call]:
    times = [start + number / per_second for number in range(int((end - start) * per_second))]
    return [
        Call(at, at, f"id {at}", f"digest-{at}", throttled=False, answered=True, billed=True) for at in times
    ]


@pytest.fixture
def evidence() -> Evidence:
    """A run as promised: half of the slots die, and come back."""
    calls = [
        *paced(QUOTA, 1000, KILLED_AT),
        *paced(QUOTA // 2, KILLED_AT, RESTARTED_AT),
        *paced(QUOTA, RESTARTED_AT, END),
    ]
    keys = {call.image: f"key of {call.image}" for call in calls if call.image}
    settled = frozenset(keys[call.image] for call in calls[:190] if call.image)
    loss = Loss(KILLED_AT, settled, QUOTA // 2, RESTARTED_AT)
    return Evidence(calls, keys, [], (1000.0, KILLED_AT), loss, QUOTA)


def broken(evidence: Evidence) -> list[str]:
    return [figure.name for figure in judge(evidence) if not figure.kept]


def test_run_as_promised_passes(evidence: Evidence) -> None:
    assert broken(evidence) == []


def test_defects_of_the_tables_fail(evidence: Evidence) -> None:
    assert broken(replace(evidence, defects=["in_shards: 1 images without a row"])) == ["images"]


def test_low_rate_before_the_kill_fails(evidence: Evidence) -> None:
    calls = [call for number, call in enumerate(evidence.calls) if number % 4]
    assert broken(replace(evidence, calls=calls)) == ["answers a second, over 10 s"]


def test_more_calls_than_the_quota_in_a_second_fail(evidence: Evidence) -> None:
    one_more = Call(1025.5, 1025.9, "id", None, throttled=False, answered=False, billed=False)
    assert broken(replace(evidence, calls=[*evidence.calls, one_more])) == ["most let through in a second"]


def test_throttled_calls_fail_above_two_percent(evidence: Evidence) -> None:
    throttled = [Call(1025.5, 1025.5, "id", None, throttled=True, answered=False, billed=False)]
    assert broken(replace(evidence, calls=[*evidence.calls, *throttled * 10])) == []
    assert broken(replace(evidence, calls=[*evidence.calls, *throttled * 11])) == ["throttled calls"]


def test_image_that_was_open_when_the_worker_died_may_be_paid_for_twice(evidence: Evidence) -> None:
    again = replace(evidence.calls[-1], image=evidence.calls[195].image)
    assert broken(replace(evidence, calls=[*evidence.calls[:-1], again])) == []


def test_image_whose_row_was_committed_must_not_be_paid_for_twice(evidence: Evidence) -> None:
    again = replace(evidence.calls[-1], image=evidence.calls[0].image)
    assert broken(replace(evidence, calls=[*evidence.calls[:-1], again])) == ["images paid for twice"]


def test_share_of_the_dead_must_not_be_used_by_others(evidence: Evidence) -> None:
    more = [*evidence.calls[:200], *paced(QUOTA, KILLED_AT, RESTARTED_AT), *evidence.calls[300:]]
    keys = evidence.keys | {call.image: "a" + call.image for call in more if call.image}
    assert broken(replace(evidence, calls=more, keys=keys)) == ["calls a second meanwhile"]


def test_kill_that_hit_no_task_proves_nothing(evidence: Evidence) -> None:
    loss = replace(evidence.loss, slots=0)
    assert "slots of the tasks that died" in broken(replace(evidence, loss=loss))


def test_figures_and_defects_are_printed_in_lines_that_fit_a_terminal(evidence: Evidence) -> None:
    output = io.StringIO()
    console = Console(file=output, width=80)
    show(judge(evidence), ["in_shards: 1 images without a row"], console)
    lines = output.getvalue().splitlines()
    assert len(lines) == 1 + len(judge(evidence)) + 1
    assert "in_shards: 1 images without a row" in lines[-1]
