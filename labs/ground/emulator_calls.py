"""The calls in an emulator's journal, which is independent evidence of what was called."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airflow_provider_permitocr.permit.api import ACTION

_THROTTLED: Final = "RequestLimitExceeded"


@dataclass(frozen=True)
class Call:
    """A line of the journal.

    :param arrived: Unix time in seconds at which the complete request had arrived.
    :param finished: Unix time of its answer.
    :param image: SHA-256 of the image file; None if the gateway refused the call.
    :param throttled: whether it was refused because of its rate.
    :param answered: whether the image was recognized.
    :param billed: whether the real service would bill the call, by the emulator's own table.
    :param code: ``OK`` or the answer's error code; None if no API answer was sent.
    :param trace_id: the caller's name for this call; None if it sent none.
    """

    arrived: float
    finished: float
    request_id: str
    image: str | None
    throttled: bool
    answered: bool
    billed: bool
    code: str | None = None
    trace_id: str | None = None


def read_calls(journal: Path) -> list[Call]:
    """Read the calls of MainlandPermitOCR, in the order of their arrival."""
    lines = (json.loads(line) for line in journal.read_text("utf-8").splitlines())
    calls = [
        Call(
            line["time"],
            line["time"] + line["seconds"],
            line["request_id"],
            line["image"],
            line["code"] == _THROTTLED,
            line["answered"],
            line["billed"],
            line["code"],
            line.get("trace_id"),
        )
        for line in lines
        if line["action"] == ACTION
    ]
    return sorted(calls, key=lambda call: call.arrived)


def most_in_one_second(calls: Iterable[Call]) -> int:
    """Return the highest number of calls that arrived in one whole second, as the gateway counts them."""
    return max(Counter(math.floor(call.arrived) for call in calls).values(), default=0)
