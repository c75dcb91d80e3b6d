"""A run's summary for its log: one fact a line, short enough for the log pane of Airflow's UI."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.permit.advice import remedy
from airflow_provider_permitocr.permit.status import Status


@dataclass(frozen=True)
class Line:
    """A line of a log.

    :param is_warning: whether it requires action.
    """

    text: str
    is_warning: bool = False


def summary_lines(summary: RunSummary) -> Iterator[Line]:
    """Describe what a run did, most important first; what needs action is a separate warning."""
    done = ", ".join(f"{count:,} {status}" for status, count in summary.statuses.items())
    yield Line(f"Images: {done or 'no new ones'}; {summary.skipped:,} of {summary.listed:,} settled before")
    if summary.calls:
        took = timedelta(seconds=round(summary.elapsed_seconds))
        yield Line(f"Calls: {summary.calls:,} in {took} ({summary.calls_per_second:.1f} per second)")
    if summary.throttled:
        yield Line(f"Throttled: {many(summary.throttled, 'call')}")
    cost = summary.cost_words or "cost unknown, no price_per_call"
    yield Line(f"Billed: {many(summary.billed, 'call')}, {cost}" if summary.billed else "Billed: no calls")
    for target, rows in summary.delivered.items():
        yield Line(f"Written: {many(rows, 'row')} to {target}")
    yield from _remarks(summary)
    yield from _to_act_on(summary)


def _remarks(summary: RunSummary) -> Iterator[Line]:
    if summary.doubtful:
        recognized = summary.statuses.get(Status.RECOGNIZED, 0)
        share = summary.doubtful / recognized if recognized else 1.0
        yield Line(
            f"Doubtful: {many(summary.doubtful, 'image')} ({share:.1%} of those recognized) with a flag"
        )
    if summary.reused:
        yield Line(f"Same picture: {many(summary.reused, 'image')} took another's answer, without a call")
    if summary.elsewhere:
        yield Line(
            f"Elsewhere: {many(summary.elsewhere, 'image was', 'images were')} done by another run meanwhile"
        )
    if summary.taken_up:
        yield Line(f"Taken up: {many(summary.taken_up, 'image')} that earlier runs left")


def _to_act_on(summary: RunSummary) -> Iterator[Line]:
    for code, count in summary.error_codes.items():
        what_to_do = remedy(code)
        yield Line(f"{count:,} x {code}" + (f": {what_to_do}" if what_to_do else ""), bool(what_to_do))
    if retried := summary.statuses.get(Status.RETRY):
        yield Line(f"To try again: {many(retried, 'image')}, by the next run of the list")
    if summary.refused:
        yield Line(f"A result table refuses {many(summary.refused, 'row')}; the log above says why", True)
    if summary.unread:
        yield Line(
            f"{many(summary.unread, 'image')} of earlier runs cannot be listed again; clear these runs", True
        )
    if summary.left_words:
        yield Line(summary.left_words, True)
