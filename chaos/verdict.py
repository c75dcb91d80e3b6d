"""Hold what is left after a scenario to what is promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chaos.evidence import Evidence
from chaos.task import TaskEnd
from demo.emulator_calls import Call
from distributed.evidence import repeated
from distributed.verdict import Figure


@dataclass(frozen=True)
class Lost:
    """A try that was killed.

    :param began_at: Unix time in seconds, before its first call.
    :param over_at: Unix time in seconds, when all that it had sent had arrived.
    :param committed: keys of the images that had a row when it was gone.
    """

    began_at: float
    over_at: float
    committed: frozenset[str]


def none_of(name: str, count: int) -> Figure:
    """Return a figure that has to be 0."""
    return Figure(name, f"{count:,}", "0", count == 0)


def at_most(name: str, count: int, most: int, what: str = "") -> Figure:
    """Return a figure with an upper bound.

    :param what: the bound, in words.
    """
    return Figure(name, f"{count:,}", f"≤ {most:,}{' ' if what else ''}{what}", count <= most)


def exactly(name: str, count: int, wanted: int) -> Figure:
    """Return a figure that has to be a certain number."""
    return Figure(name, f"{count:,}", f"{wanted:,}", count == wanted)


def succeeded(name: str, end: TaskEnd) -> Figure:
    """Return whether a task succeeded."""
    return Figure(name, end.error or "succeeded", "succeeds", end.summary is not None)


def failed_for_good(name: str, end: TaskEnd, wanted: str) -> Figure:
    """Return whether a task failed so that Airflow does not try again.

    :param wanted: what its message has to name.
    """
    kept = end.error == "AirflowFailException" and wanted in end.message
    told = end.error if kept or wanted in end.message else f"{end.error} without {wanted}"
    return Figure(name, told or "succeeded", "AirflowFailException", kept)


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


def lost_with(lost: Lost, calls: Iterable[Call], keys: Mapping[str, str]) -> set[str]:
    """Return the keys of the images that a try had sent, and that were not committed when it was killed.

    :param calls: that were answered, while it lived or afterwards.
    """
    sent = {call.image for call in calls if lost.began_at < call.arrived <= lost.over_at}
    return {keys[image] for image in sent if image} - lost.committed


def repeated_for_kills_alone(evidence: Evidence, kills: Sequence[Lost]) -> list[Figure]:
    """No image was answered again but one that was in flight, or not committed, when the run was killed."""
    open_images = Counter[str]()
    for lost in kills:
        open_images.update(lost_with(lost, _answered(evidence.calls), evidence.keys))
    twice = repeated(evidence.calls, evidence.keys)
    unexplained = sum(max(0, count - open_images[key]) for key, count in twice.items())
    return [
        at_most(
            "answers paid for again",
            sum(twice.values()),
            open_images.total(),
            "open at the kills",
        ),
        none_of("again without a kill", unexplained),
    ]


def ledger_equals_journal(evidence: Evidence) -> list[Figure]:
    """The ledger tells, call by call, what the emulator's journal tells."""
    answers = _answered(evidence.calls)
    answered = {call.trace_id for call in answers}
    written = {entry.call_id for entry in evidence.entries}
    against = [
        entry
        for entry in evidence.entries
        if entry.billed is not None and bool(entry.billed) != (entry.call_id in answered)
    ]
    paid = sum(entry.billed == 1 for entry in evidence.entries)
    unknown = sum(entry.billed is None for entry in evidence.entries)
    return [
        none_of("calls not in ledger", sum(call.trace_id not in written for call in evidence.calls)),
        none_of("ledger against journal", len(against)),
        Figure(
            "answers, by the ledger",
            f"{paid:,} ≤ {len(answers):,} ≤ {paid + unknown:,}",
            "paid ≤, ≤ + unknown",
            paid <= len(answers) <= paid + unknown,
        ),
    ]


def _answered(calls: Iterable[Call]) -> list[Call]:
    return [call for call in calls if call.answered]
