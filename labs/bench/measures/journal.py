"""The rates in an emulator's journal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from labs.ground.emulator_calls import Call

#: Left out at the start of a steady part (connections are made, shards start) and at its end.
_START_SECONDS: Final = 5.0
_END_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Window:
    """A span of Unix time, in seconds; its end is not part of it."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start


def without(calls: Iterable[Call], request_ids: Collection[str]) -> list[Call]:
    """Leave out somebody's calls.

    :param request_ids: of the answers that he got.
    """
    return [call for call in calls if call.request_id not in request_ids]


def steady_part(calls: Iterable[Call], lists: Sequence[Collection[str]]) -> Window:
    """Return the period in which every task of a run had images left: all started, none finished.

    It starts five seconds after the last task's first call, and ends a second before the first task's last
    call.

    :param lists: for each task, the SHA-256 of the files that only it recognizes.
    :raises ValueError: a task made no call, or the run was too short.
    """
    spans: dict[int, Window] = {}
    owner = {image: number for number, images in enumerate(lists) for image in images}
    for call in calls:
        if call.image in owner:
            number = owner[call.image]
            first = spans[number].start if number in spans else call.arrived
            spans[number] = Window(first, call.arrived)
    if len(spans) < len(lists):
        raise ValueError("a task made no call, so there is no steady period")
    start = max(span.start for span in spans.values()) + _START_SECONDS
    end = min(span.end for span in spans.values()) - _END_SECONDS
    if end - start < 1:
        raise ValueError("the run was too short for a steady part: list more images")
    return Window(start, end)


def answered_per_second(calls: Iterable[Call], window: Window) -> float:
    """Return the rate of the calls that arrived in a span and were answered."""
    return sum(call.answered and window.start <= call.arrived < window.end for call in calls) / window.seconds


def images_per_second(calls: Sequence[Call]) -> float:
    """Return the images recognized per second, from the first arrival to the last answer."""
    answered = {call.image for call in calls if call.answered}
    seconds = max(call.finished for call in calls) - min(call.arrived for call in calls)
    return len(answered) / seconds


def throttled_share(calls: Sequence[Call]) -> float:
    """Return the share of the calls that were refused for their rate, from 0 to 1."""
    return sum(call.throttled for call in calls) / len(calls)


def by_second(calls: Iterable[Call], start: float) -> list[int]:
    """Count the answered calls by second of arrival, from any fractional start."""
    counts = Counter(math.floor(call.arrived - start) for call in calls if call.answered)
    return [counts[second] for second in range(max(counts, default=-1) + 1)]


def mean_latency(calls: Iterable[Call]) -> float:
    """Return the mean time from arrival to answer of the answered calls, in seconds."""
    seconds = [call.finished - call.arrived for call in calls if call.answered]
    return sum(seconds) / len(seconds)
