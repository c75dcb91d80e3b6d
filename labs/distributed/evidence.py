"""What the emulator's journal and the result tables show about a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labs.distributed.image_lists import ImageList
from labs.ground.accuracy import compare
from labs.ground.emulator_calls import Call, most_in_one_second


@dataclass(frozen=True)
class Loss:
    """What was lost with the killed worker.

    :param killed_at: Unix time in seconds.
    :param settled: keys of the images whose rows were committed when it died.
    :param slots: pool slots of the tasks that died.
    :param restarted_at: Unix time when the first of them was restarted.
    """

    killed_at: float
    settled: frozenset[str]
    slots: int
    restarted_at: float


def all_calling_since(calls: Iterable[Call], keys: Mapping[str, str], task_of: Callable[[str], str]) -> float:
    """Return the Unix time from which every task makes calls: Airflow reports "running" seconds earlier.

    :param keys: keys of the images by the SHA-256 of their files.
    :param task_of: returns which task recognizes the image with a key.
    """
    first = dict[str, float]()
    for call in calls:
        if call.image:
            task = task_of(keys[call.image])
            first[task] = min(call.arrived, first.get(task, call.arrived))
    return max(first.values())


def answered_per_second(calls: Iterable[Call], start: float, end: float) -> float:
    """Return the answers per second between two Unix times."""
    return sum(call.answered and start <= call.finished < end for call in calls) / (end - start)


def most_admitted_in_a_second(calls: Iterable[Call]) -> int:
    """Return the highest number of calls that arrived in one whole second and passed the quota."""
    return most_in_one_second(call for call in calls if not call.throttled)


def repeated(calls: Iterable[Call], keys: Mapping[str, str]) -> dict[str, int]:
    """Return by key how often an image was paid for more than once.

    :param keys: keys of the images by the SHA-256 of their files.
    """
    counts = Counter(keys[call.image] for call in calls if call.billed and call.image)
    return {key: count - 1 for key, count in counts.items() if count > 1}


def open_when_killed(calls: Iterable[Call], keys: Mapping[str, str], loss: Loss) -> set[str]:
    """Return the keys of the images that had been sent when the worker was killed, and had no row yet."""
    sent = {keys[call.image] for call in calls if call.image and call.arrived <= loss.killed_at}
    return sent - loss.settled


def arrivals_per_second_while_down(calls: Iterable[Call], loss: Loss) -> float:
    """Return the calls per second from a second after the kill until the lost tasks were started again."""
    start = loss.killed_at + 1  # what was on its way has arrived
    seconds = max(loss.restarted_at - start, 1.0)
    return sum(start <= call.arrived < start + seconds for call in calls) / seconds


def defects(listed: ImageList, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Describe how a result table differs from one correct, recognized row per listed image."""
    found = list[str]()
    counts = Counter(row["image_key"] for row in rows)
    twice = [key for key, count in counts.items() if count > 1]
    missing = [image.image_id for image in listed.images if image.image_id not in counts]
    accuracy = compare(listed.images, rows, "clean")
    unread = sorted(set(accuracy.unread) - set(missing))
    if missing:
        found.append(f"{len(missing)} images without a row, e.g. {missing[0]}")
    if twice:
        found.append(f"{len(twice)} images with several rows, e.g. {twice[0]}")
    if len(counts) > len(listed.images) - len(missing):
        found.append("rows of images that are not listed")
    if unread:
        found.append(f"{len(unread)} images not recognized, e.g. {unread[0]}")
    if accuracy.differences:
        first = accuracy.differences[0]
        found.append(f"{len(accuracy.differences)} wrong values, e.g. {first.image_id}.{first.column}")
    return [f"{listed.dag_id}: {defect}" for defect in found]
