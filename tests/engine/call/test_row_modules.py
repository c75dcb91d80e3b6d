"""How many modules of the package one image passes: to know what happens to an image is to read these.

A file, and an image that the list itself holds, are followed from the hand-over to the outcome,
with the real client against the emulator, and with a ledger in a database. What connects this to Airflow, and
the delivery, are not on an image's way.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import pytest
import sqlalchemy as sa

import airflow_provider_permitocr
from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.call.row import Recognizer
from airflow_provider_permitocr.engine.ledger import call_ledger
from airflow_provider_permitocr.engine.ledger.call_ledger import CallLedger
from airflow_provider_permitocr.engine.ledger.journal import FileJournal
from airflow_provider_permitocr.engine.models import ImageRow, Outcome
from airflow_provider_permitocr.engine.ports import PermitClient
from airflow_provider_permitocr.engine.run.hand_over import completed
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
from airflow_provider_permitocr.options.run import Pace, RunOptions
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.sql_ledger import SqlLedger
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.options import ClientOptions
from tests.sql.ledger.processes import Process

NAME: Final = airflow_provider_permitocr.__name__


#: An exchange serves all rows that came in within a moment: what a database does for them is beyond the port
#: ``Ledger.exchange``.
BEYOND_THE_PORT: Final = ("sql.", "options.budget", "engine.ledger.standing", "engine.run.selection")
#: The rules that an answer's fields are held to are behind ``Assessment.columns``.
RULES: Final = "permit.quality."
ENTRY_TO_RULES: Final = "permit.quality.assessment"
#: A file passes those that open it, below the folders that a DAG names.
MOST_OF_A_ROW: Final = {"file": 29, "inline": 27}
MOST_OF_AN_EXCHANGE: Final = 16
MOST_OF_AN_EXAMINATION: Final = 6


@contextmanager
def modules_passed() -> Iterator[set[str]]:
    """Collect the modules of the package in which threads that are started in here run code."""
    passed: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        module = str(frame.f_globals.get("__name__"))  # of what dataclasses write, too
        if event == "call" and module.startswith(f"{NAME}.") and ".emulator." not in module:
            passed.add(module.removeprefix(f"{NAME}."))

    threading.setprofile(note)
    try:
        yield passed
    finally:
        threading.setprofile(None)


def recognized(row: ImageRow, client: PermitClient, ledger: SqlLedger, journal: Path) -> Outcome:
    """Take a row to its outcome in a thread of its own, as a run does."""
    stop = threading.Event()
    kept = FileJournal(journal, session_id="session")
    calls = CallLedger(ledger, kept, stop=stop, patience_seconds=10)
    recognizer = Recognizer(
        PermitRequestBuilder(max_base64_bytes=7_000_000),
        client,
        RunOptions(Pace(20)),
        stop,
        ledger=calls,
        answers=ledger,
    )
    calls.start()
    [outcome] = [
        outcome
        for outcomes in completed(recognizer.recognize, [row], max_in_flight=lambda: 1, stop=stop)
        for outcome in outcomes
    ]
    assert calls.end() is None
    assert isinstance(outcome, Outcome)
    return outcome


@pytest.mark.parametrize("image_kind", MOST_OF_A_ROW)
def test_one_image_passes_few_modules(
    image_kind: str,
    emulator: RunningEmulator,
    draw: Callable[..., Specimen],
    sqlite_engine: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(call_ledger, "_SLOW_SECONDS", 60.0)  # on a busy machine, the journal would join in
    options = ClientOptions(
        DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY, endpoint=emulator.endpoint, protocol="http"
    )

    def recognize(seed: int) -> Outcome:
        image = draw(seed=seed).image
        file = tmp_path / f"{seed}.jpg"
        file.write_bytes(image)
        row = ImageRow(f"k{seed}", image if image_kind == "inline" else str(file))
        with MainlandPermitClient(options) as client:
            return recognized(row, client, Process(sqlite_engine).ledger, tmp_path)

    recognize(0)  # imports what is imported late
    with modules_passed() as passed:
        outcome = recognize(1)
    assert outcome.status is Status.RECOGNIZED
    assert outcome.reused_from is None
    rules = {module for module in passed if module.startswith(RULES)} - {ENTRY_TO_RULES}
    passed -= rules
    beyond = {module for module in passed if module.startswith(BEYOND_THE_PORT)}
    assert len(passed - beyond) <= MOST_OF_A_ROW[image_kind], " ".join(sorted(passed - beyond))
    assert len(beyond) <= MOST_OF_AN_EXCHANGE, sorted(beyond)
    assert len(rules) <= MOST_OF_AN_EXAMINATION, sorted(rules)
    assert ENTRY_TO_RULES in passed
    assert {"engine.call.row", "images.request_builder", "tencent.client"} <= passed
    assert "sql.ledger.exchange.exchange" in beyond
