"""Compare what is left after a scenario with the promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from labs.chaos.evidence import Evidence
from labs.chaos.task import TaskEnd
from labs.distributed.evidence import repeated
from labs.ground.emulator_calls import Call
from labs.ground.figures import Figure

#: An answer is in the ledger this many seconds after it arrived.
SAFE_AFTER: Final = 1.0


@dataclass(frozen=True)
class Lost:
    """A try that was killed.

    :param began_at: Unix time in seconds, before its first call.
    :param killed_at: Unix time in seconds, just before the kill.
    :param over_at: Unix time in seconds, when all that it had sent had arrived.
    """

    began_at: float
    killed_at: float
    over_at: float

    def took(self, call: Call) -> bool:
        """Return whether a call's answer was lost with this try: it was in flight, or had just arrived."""
        is_of_try = self.began_at < call.arrived <= self.over_at
        return is_of_try and call.finished > self.killed_at - SAFE_AFTER


def none_of(name: str, count: int) -> Figure:
    """Return a figure that has to be 0."""
    return Figure(name, f"{count:,}", "0", count == 0)


def at_most(name: str, count: int, most: int, what: str = "") -> Figure:
    """Return a figure with an upper bound.

    :param what: the bound, in words.
    """
    return Figure(name, f"{count:,}", f"≤ {most:,}{' ' if what else ''}{what}", count <= most)


def some(name: str, count: int) -> Figure:
    """Return a figure that must not be 0."""
    return Figure(name, f"{count:,}", "some", count > 0)


def exactly(name: str, count: int, wanted: int) -> Figure:
    """Return a figure that has to be a certain number."""
    return Figure(name, f"{count:,}", f"{wanted:,}", count == wanted)


def not_played(missing: str) -> Figure:
    """Return a figure that replaces those that need something missing.

    :param missing: what is missing.
    """
    return Figure("not played", f"needs {missing}", "", kept=True)


def of_situation(situation: str, figures: Iterable[Figure]) -> list[Figure]:
    """Return figures of one of a scenario's situations, shown below its name."""
    return [replace(figure, name=f"{situation}: {figure.name}") for figure in figures]


def succeeded(name: str, end: TaskEnd) -> Figure:
    """Return whether a task succeeded."""
    return Figure(name, end.error or "succeeded", "succeeds", end.summary is not None)


def failed_for_good(name: str, end: TaskEnd, wanted: str) -> Figure:
    """Return whether a task failed in a way that Airflow does not retry.

    :param wanted: what its message must name.
    """
    kept = end.error == "AirflowFailException" and wanted in end.message
    measured = end.error if kept or wanted in end.message else f"{end.error} without {wanted}"
    return Figure(name, measured or "succeeded", "AirflowFailException", kept)


def one_row_each(evidence: Evidence) -> list[Figure]:
    """Every listed image has one row."""
    counts = Counter(row.image_key for row in evidence.rows)
    listed = set(evidence.keys.values())
    return [
        none_of("images lost", len(listed - counts.keys())),
        none_of("images doubled", counts.total() - len(counts.keys() & listed)),
    ]


def every_image_once(evidence: Evidence) -> list[Figure]:
    """Every listed image has one row, and it is recognized, with the number that is on it."""
    return [
        *one_row_each(evidence),
        exactly("recognized, and right", evidence.right, len(evidence.keys)),
    ]


def paid_twice(evidence: Evidence) -> int:
    """Count the answers beyond the first one for an image."""
    return sum(repeated(evidence.calls, evidence.keys).values())


def repeated_for_kills_alone(evidence: Evidence, kills: Sequence[Lost]) -> list[Figure]:
    """No image was answered again, unless its call was in flight at a kill or had just been answered."""
    answers = [call for call in evidence.calls if call.billed and call.image]
    taken = {call.request_id for call in answers if any(lost.took(call) for lost in kills)}
    last = {call.image: call for call in sorted(answers, key=lambda call: call.arrived)}
    again = [call for call in answers if call is not last[call.image]]
    return [
        at_most("answers paid for again", len(again), len(taken), "under way at the kills"),
        none_of(
            f"… {SAFE_AFTER:.0f} s old or more",
            sum(call.request_id not in taken for call in again),
        ),
    ]


def ledger_equals_journal(evidence: Evidence) -> list[Figure]:
    """The ledger matches the emulator's journal, call by call."""
    billed = {call.trace_id for call in evidence.calls if call.billed}
    written = {entry.call_id for entry in evidence.entries}
    against = [
        entry
        for entry in evidence.entries
        if entry.billed is not None and bool(entry.billed) != (entry.call_id in billed)
    ]
    without = [entry for entry in evidence.entries if entry.billed == 1 and not entry.has_answer]
    taken = sum(call.billed for call in evidence.calls)
    paid = sum(entry.billed == 1 for entry in evidence.entries)
    unknown = sum(entry.billed is None for entry in evidence.entries)
    return [
        none_of("calls not in ledger", sum(call.trace_id not in written for call in evidence.calls)),
        none_of("ledger against journal", len(against)),
        none_of("paid, answer not kept", len(without)),
        Figure(
            "answers, by the ledger",
            f"{paid:,} ≤ {taken:,} ≤ {paid + unknown:,}",
            "paid ≤, ≤ + unknown",
            paid <= taken <= paid + unknown,
        ),
    ]
