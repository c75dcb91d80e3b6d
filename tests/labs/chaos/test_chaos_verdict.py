from __future__ import annotations

from dataclasses import replace

import pytest

from labs.chaos.evidence import Entry, Evidence, Row
from labs.chaos.task import TaskEnd
from labs.chaos.verdict import (
    Lost,
    at_most,
    every_image_once,
    failed_for_good,
    ledger_equals_journal,
    of_situation,
    paid_twice,
    repeated_for_kills_alone,
    succeeded,
)
from labs.ground.emulator_calls import Call
from labs.ground.figures import Figure

KEYS = {f"digest {number}": f"key {number}" for number in range(4)}


def call(number: int, arrived: float = 1.0, *, answered: bool = True, name: str = "") -> Call:
    return Call(
        arrived,
        arrived + 0.1,
        f"request {number} at {arrived}",
        f"digest {number}",
        throttled=False,
        answered=answered,
        billed=answered,
        code="OK" if answered else "InternalError",
        trace_id=name or f"call {number}",
    )


def entry(number: int, billed: int | None = 1, name: str = "") -> Entry:
    code = {1: "OK", 0: "InternalError", None: None}[billed]
    return Entry(name or f"call {number}", f"key {number}", code, billed, has_answer=billed == 1)


@pytest.fixture
def evidence() -> Evidence:
    """Four images, each called, written down and recognized once."""
    return Evidence(
        keys=KEYS,
        calls=[call(number) for number in range(4)],
        rows=[Row(key, "FRONT", "recognized") for key in KEYS.values()],
        entries=[entry(number) for number in range(4)],
        right=4,
    )


def broken(figures: list[Figure]) -> dict[str, str]:
    return {figure.name: figure.measured for figure in figures if not figure.kept}


def test_a_run_as_promised_passes(evidence: Evidence) -> None:
    figures = [*every_image_once(evidence), *ledger_equals_journal(evidence)]
    assert broken([*figures, *repeated_for_kills_alone(evidence, [])]) == {}
    assert paid_twice(evidence) == 0


def test_an_image_without_a_row_is_lost(evidence: Evidence) -> None:
    figures = every_image_once(replace(evidence, rows=evidence.rows[1:], right=3))
    assert broken(figures) == {"images lost": "1", "recognized, and right": "3"}


def test_a_second_row_is_doubled_and_so_is_one_that_nobody_listed(evidence: Evidence) -> None:
    more = [evidence.rows[0], Row("key 9", "FRONT", "recognized")]
    assert broken(every_image_once(replace(evidence, rows=[*evidence.rows, *more]))) == {
        "images doubled": "2"
    }


def test_a_wrong_value_fails(evidence: Evidence) -> None:
    assert broken(every_image_once(replace(evidence, right=3))) == {"recognized, and right": "3"}


def test_a_second_answer_for_an_image_is_paid_twice(evidence: Evidence) -> None:
    again = [call(1, 2.0), call(2, 2.0, answered=False)]
    assert paid_twice(replace(evidence, calls=[*evidence.calls, *again])) == 1


KILL = Lost(began_at=0.0, killed_at=5.0, over_at=5.5)


@pytest.mark.parametrize(
    "arrived", [4.0, 4.95, 5.2], ids=["answered 0.9 s before", "under way", "sent, and arrived afterwards"]
)
def test_an_answer_that_was_under_way_or_just_there_at_a_kill_may_be_paid_for_again(
    evidence: Evidence, arrived: float
) -> None:
    calls = [*evidence.calls[:3], call(3, arrived), call(3, 8.0)]
    assert broken(repeated_for_kills_alone(replace(evidence, calls=calls), [KILL])) == {}


@pytest.mark.parametrize("arrived", [3.85, 5.6], ids=["answered 1.05 s before", "by the next try"])
def test_an_answer_that_was_safe_at_a_kill_must_not_be_paid_for_again(
    evidence: Evidence, arrived: float
) -> None:
    calls = [*evidence.calls[:3], call(3, arrived), call(3, 8.0)]
    figures = repeated_for_kills_alone(replace(evidence, calls=calls), [KILL])
    assert broken(figures) == {"answers paid for again": "1", "… 1 s old or more": "1"}


def test_one_kill_is_no_excuse_for_two_further_answers(evidence: Evidence) -> None:
    calls = [*evidence.calls[:3], call(3, 4.95), call(3, 7.0), call(3, 8.0)]
    figures = repeated_for_kills_alone(replace(evidence, calls=calls), [KILL])
    assert broken(figures) == {"answers paid for again": "2", "… 1 s old or more": "1"}


def test_an_answer_that_is_paid_for_and_not_kept_fails(evidence: Evidence) -> None:
    entries = [replace(evidence.entries[0], has_answer=False), *evidence.entries[1:]]
    figures = ledger_equals_journal(replace(evidence, entries=entries))
    assert broken(figures) == {"paid, answer not kept": "1"}


def test_figures_of_a_situation_are_named_for_it(evidence: Evidence) -> None:
    (figure,) = of_situation("PostgreSQL", [at_most("calls", 1, 1)])
    assert (figure.name, figure.kept) == ("PostgreSQL: calls", True)


def test_a_call_that_the_ledger_does_not_know_fails(evidence: Evidence) -> None:
    figures = ledger_equals_journal(replace(evidence, entries=evidence.entries[1:]))
    assert broken(figures) == {
        "calls not in ledger": "1",
        "answers, by the ledger": "3 ≤ 4 ≤ 3",
    }


def test_a_call_without_a_name_is_not_in_the_ledger(evidence: Evidence) -> None:
    nameless = replace(call(0), trace_id=None, answered=False, billed=False)
    figures = ledger_equals_journal(replace(evidence, calls=[*evidence.calls, nameless]))
    assert broken(figures) == {"calls not in ledger": "1"}


@pytest.mark.parametrize(
    ("answered", "billed"), [(False, 1), (True, 0)], ids=["paid, not answered", "answered, not paid"]
)
def test_a_ledger_row_against_the_journal_fails(evidence: Evidence, *, answered: bool, billed: int) -> None:
    calls = [call(0, answered=answered), *evidence.calls[1:]]
    entries = [entry(0, billed), *evidence.entries[1:]]
    figures = ledger_equals_journal(replace(evidence, calls=calls, entries=entries))
    assert broken(figures)["ledger against journal"] == "1"


def test_a_failure_that_is_billed_without_work_and_one_that_is_free_after_it_are_as_the_journal_says(
    evidence: Evidence,
) -> None:
    calls = [
        replace(call(0, answered=False), billed=True, code="FailedOperation.EmptyImageError"),
        replace(call(1), billed=False, code="InternalError"),
        *evidence.calls[2:],
    ]
    entries = [entry(0), entry(1, 0), *evidence.entries[2:]]
    assert broken(ledger_equals_journal(replace(evidence, calls=calls, entries=entries))) == {}


def test_an_entry_as_paid_for_a_call_that_never_arrived_fails(evidence: Evidence) -> None:
    figures = ledger_equals_journal(
        replace(evidence, entries=[*evidence.entries, entry(0, 1, "no such call")])
    )
    assert broken(figures) == {
        "ledger against journal": "1",
        "answers, by the ledger": "5 ≤ 4 ≤ 5",
    }


def test_a_call_that_nobody_knows_the_end_of_may_have_been_answered_or_not(evidence: Evidence) -> None:
    entries = [entry(0, None), *evidence.entries[1:], entry(0, None, "never sent")]
    assert broken(ledger_equals_journal(replace(evidence, entries=entries))) == {}


def test_one_call_sent_twice_under_one_name_is_one_more_than_was_paid_for(evidence: Evidence) -> None:
    calls = [*evidence.calls, call(0, 2.0)]
    figures = ledger_equals_journal(replace(evidence, calls=calls))
    assert broken(figures) == {"answers, by the ledger": "4 ≤ 5 ≤ 4"}


def test_a_bound_may_be_reached_and_not_passed() -> None:
    assert at_most("calls", 500, 500).kept
    assert not at_most("calls", 501, 500).kept


def test_a_task_that_succeeded_and_one_that_failed() -> None:
    assert succeeded("the run", TaskEnd(summary={})).kept
    failed = succeeded("the run", TaskEnd(error="AirflowException"))
    assert (failed.kept, failed.measured) == (False, "AirflowException")


@pytest.mark.parametrize(
    ("end", "kept"),
    [
        (TaskEnd(error="AirflowFailException", message="ArrearsError: recharge"), True),
        (TaskEnd(error="AirflowFailException", message="something else"), False),
        (TaskEnd(error="AirflowException", message="ArrearsError: recharge"), False),
        (TaskEnd(summary={}), False),
    ],
    ids=["for good, by name", "for another reason", "to be retried", "succeeded"],
)
def test_only_a_failure_for_good_that_names_the_fault_will_do(end: TaskEnd, *, kept: bool) -> None:
    assert failed_for_good("the run", end, "ArrearsError").kept is kept
