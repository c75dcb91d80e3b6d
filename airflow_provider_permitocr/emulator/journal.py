"""What was called: a line per call in a file, and sums.

A line has the time, the action and the outcome, and the image by its digest only: no field value, no
image, no secret.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TextIO

from airflow_provider_permitocr.permit.api import ACTION

#: What `sums` calls the code of a call that got no answer of the API.
NO_ANSWER: Final = "no answer"
#: Records kept in memory for those who run the emulator in their own process.
KEPT_RECORDS: Final = 100_000


@dataclass
class CallRecord:
    """One call, completed while it is served.

    :param time: Unix time in seconds at which the complete request had arrived.
    :param action: ``X-TC-Action``; '' if missing or unknown to the emulator.
    :param request_id: ``RequestId`` of the answer.
    :param site: ``intl`` or ``mainland``.
    :param account: the account that signed; None if the signature was refused.
    :param image: SHA-256 of the image file, in hexadecimal; None if the call had no readable image.
    :param code: ``OK`` or the answer's error code; None if no API answer was sent
        (connection dropped, HTTP error).
    :param answered: whether the work was done, even if a fault then kept the answer from the caller.
    :param billed: whether the real service would bill this call: its answer has fields, or one of the few
        billed errors, whether or not it then reached the caller.
    :param fault: name of the rule that changed this call.
    :param seconds: from arrival to the answer.
    :param trace_id: ``X-TC-TraceId``: the caller's name for this call; None if it sent none.
    """

    time: float
    action: str
    request_id: str
    site: str
    account: str | None = None
    image: str | None = None
    code: str | None = None
    answered: bool = False
    billed: bool = False
    fault: str | None = None
    seconds: float = 0.0
    trace_id: str | None = None


class Journal:
    """Collect the records of one emulator.

    :param path: file to append lines to; nothing is written if None.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.records: deque[CallRecord] = deque(maxlen=KEPT_RECORDS)
        self._file: TextIO | None = path.open("a", encoding="utf-8", buffering=1) if path else None
        self._codes: Counter[str] = Counter()
        self._actions: Counter[str] = Counter()
        self._images: Counter[str] = Counter()
        self._answered_images: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self._answered = 0
        self._billed = 0
        self._answered_seconds: Counter[int] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def add(self, record: CallRecord) -> None:
        """Count a finished call and write its line."""
        self.records.append(record)
        if self._file:
            self._file.write(json.dumps(vars(record)) + "\n")
        self._actions[record.action] += 1
        if record.action in ("", ACTION):
            self._count(record)

    def _count(self, record: CallRecord) -> None:
        self._codes[record.code or NO_ANSWER] += 1
        self._billed += record.billed
        if record.answered:
            self._answered += 1
            self._answered_seconds[int(record.time + record.seconds)] += 1
        if record.image:
            self._images[record.image] += 1
            self._answered_images[record.image] += record.answered
        if record.fault:
            self._faults[record.fault] += 1

    def sums(self) -> dict[str, Any]:
        """Return the sums, ready for JSON: calls of other services only show in ``by_action``."""
        return {
            "calls": sum(self._codes.values()),
            "answered": self._answered,
            "billed": self._billed,
            "answered_per_second": dict(sorted(self._answered_seconds.items())),
            "throttled": self._codes["RequestLimitExceeded"],
            "by_code": dict(self._codes),
            "by_action": dict(self._actions),
            "by_fault": dict(self._faults),
            "calls_per_image": dict(self._images),
            "answered_per_image": dict(self._answered_images),
        }
