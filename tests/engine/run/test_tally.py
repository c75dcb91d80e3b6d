"""What a run counts of the images that have come to an end."""

from __future__ import annotations

import threading

from airflow_provider_permitocr.engine.ledger.calls import Attempt
from airflow_provider_permitocr.engine.run.tally import Tally
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status


def test_flags_and_doubtful_readings_are_counted() -> None:
    tally = Tally(threading.Lock())
    recognized = Attempt(("a", CardSide.FRONT), Status.RECOGNIZED)
    tally.add(recognized, ["expired"])
    tally.add(
        Attempt(("b", CardSide.FRONT), Status.RECOGNIZED, is_doubtful=True), ["number_format", "expired"]
    )
    tally.add(Attempt(("c", CardSide.FRONT), Status.FAILED, error_code="X"))
    assert tally.snapshot() == (
        {"recognized": 2, "failed": 1},
        {"X": 1},
        {"expired": 2, "number_format": 1},
    )
    assert tally.doubtful == 1
