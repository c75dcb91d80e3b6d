"""Exchanges with a ledger of many calls, and with an empty one, in turn."""

from __future__ import annotations

import json
import random
import sys
import time
import uuid
from typing import Final

from airflow_provider_permitocr.engine.ledger.calls import (
    OK,
    Attempt,
    CallIntent,
    ClosedCall,
    Grant,
    new_call_id,
)
from airflow_provider_permitocr.engine.models import ImageFacts
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.permit.answers import KeptAnswer
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.sql_ledger import SqlLedger
from labs.bench.programs.lists.filled import fill_ledger, settle_down
from labs.bench.programs.stubbed import ANSWER, engine, open_ledger

#: Number of intents, and of answers to those of the previous exchange.
_CALLS: Final = 5
_WARM_UP: Final = 20


def main(dsn: str, rows: str, rounds: str) -> None:
    """Measure both in turn, and print the seconds of each exchange.

    :param dsn: of an empty database.
    :param rows: calls, answers and images in the full ledger.
    """
    database = engine(dsn)
    full = fill_ledger(database, int(rows), Ledger("full", conn_id="warehouse"))
    empty = open_ledger(database, Ledger("bare", conn_id="warehouse"))
    empty.prepare("text")
    settle_down(dsn)
    seconds: dict[str, list[float]] = {"full": [], "empty": []}
    running = {"full": _Run(full, int(rows)), "empty": _Run(empty, int(rows))}
    for number in range(_WARM_UP + int(rounds)):
        for name in sorted(running, reverse=bool(number % 2)):
            took = running[name].exchange()
            if number >= _WARM_UP:
                seconds[name].append(took)
    sys.stdout.write(json.dumps(seconds))


class _Run:
    """A run that calls for new images, whose keys are spread over the full ledger's keys."""

    def __init__(self, ledger: SqlLedger, rows: int) -> None:
        self._ledger, self._rows = ledger, rows
        self._random = random.Random(11)  # noqa: S311 - the same keys in every run
        self._open: list[CallIntent] = []

    def exchange(self) -> float:
        intents = [self._intent() for _ in range(_CALLS)]
        closed = [answered(intent) for intent in self._open]
        began = time.perf_counter()
        exchanged = self._ledger.exchange(intents, closed, [])
        seconds = time.perf_counter() - began
        if set(exchanged.grants) != {Grant.GRANTED}:
            raise RuntimeError(f"not all calls were granted: {exchanged.grants}")
        self._open = intents
        return seconds

    def _intent(self) -> CallIntent:
        key = f"permit-{self._random.randrange(self._rows):09}-{uuid.uuid4().hex}"
        return CallIntent(new_call_id(), (key, CardSide.FRONT), None, uuid.uuid4().hex * 2)


def answered(intent: CallIntent) -> ClosedCall:
    """Close a call as one that was answered and billed, with facts as a real image has them."""
    facts = ImageFacts("JPEG", 200_000, None, intent.image_digest)
    attempt = Attempt(intent.row_key, Status.RECOGNIZED, is_verdict=True, facts=facts)
    request_id = str(uuid.uuid4())
    return ClosedCall(
        intent.call_id, OK, billed=True, request_id=request_id, answer=KeptAnswer(ANSWER), attempt=attempt
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
