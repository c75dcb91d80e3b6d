"""However a history is read, and whatever happens meanwhile, it has every recognition once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.ledger.calls import Attempt, CallIntent, ClosedCall
from airflow_provider_permitocr.engine.ledger.deliveries import Delivered
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from tests.sql.ledger.histories import day, history, in_chunks, rows_of
from tests.sql.ledger.processes import TABLES, LedgerTime, Process, answered, attempt

pytestmark = pytest.mark.slow

#: What becomes of an image in an exchange; a late call is closed in the next one.
_WITH_CALL = ["answer", "verdict", "verdict noted", "verdict noted at once"]
_WITHOUT_CALL = {"rejection": Status.REJECTED, "retry": Status.RETRY}
_KINDS = [*_WITH_CALL, "late answer", "late verdict noted", *_WITHOUT_CALL]
_STEPS = st.lists(st.dictionaries(st.sampled_from("abc"), st.sampled_from(_KINDS), min_size=1), max_size=6)


@pytest.fixture
def emptied(sqlite_engine: sa.Engine) -> Callable[[], Process]:
    """A process and its ledger, which is emptied at each call."""
    sa.event.listen(
        sqlite_engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = off")
    )
    process = Process(sqlite_engine)

    def empty() -> Process:
        with sqlite_engine.begin() as connection:
            for table in (TABLES.calls, TABLES.answers, TABLES.images):
                connection.execute(sa.delete(table))
        return process

    return empty


class Story:
    """Takes images through exchanges, and remembers which calls have said something for good, and when."""

    def __init__(self, process: Process, time: LedgerTime) -> None:
        self._process, self._time = process, time
        self._late: list[tuple[CallIntent, str]] = []
        self.said: set[tuple[str, datetime]] = set()

    def go_on(self, step: dict[str, str], number: int) -> None:
        """Open the calls of a step, then close them in one exchange, but for the late ones of this step."""
        late, self._late = self._late, []
        self._close(late, [])
        calls = [
            (self._process.intent(key, updated_at=day(number)), kind)
            for key, kind in step.items()
            if kind not in _WITHOUT_CALL
        ]
        self._process.open(*(intent for intent, _ in calls))
        self._late = [(intent, kind) for intent, kind in calls if "late" in kind]
        without = [attempt(key, _WITHOUT_CALL[kind]) for key, kind in step.items() if kind in _WITHOUT_CALL]
        self._close([each for each in calls if each not in self._late], without)

    def _close(self, due: list[tuple[CallIntent, str]], noted: list[Attempt]) -> None:
        self._time.pass_seconds(1)
        closed, noted_later = [], []
        for intent, kind in due:
            self.said.add((intent.row_key[0], self._time.now))
            if "answer" in kind:
                closed.append(answered(intent))
                continue
            verdict = Attempt(
                intent.row_key,
                Status.FAILED,
                is_verdict=True,
                updated_at=intent.updated_at,
                error_code="NoCard",
                request_id="request-1",
            )
            closed.append(ClosedCall(intent.call_id, "NoCard", True, "request-1", attempt=verdict))
            if "noted at once" in kind:
                noted = [*noted, verdict]
            elif "noted" in kind:
                noted_later.append(verdict)
        self._process.ledger.exchange([], closed, noted)
        self._time.pass_seconds(1)
        self._process.ledger.exchange([], [], noted_later)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=_STEPS, most=st.integers(1, 5), reads_between=st.sets(st.integers(0, 5)))
def test_every_call_is_a_row_once_whatever_is_read_between_and_in_whatever_chunks(
    emptied: Callable[[], Process],
    time: LedgerTime,
    steps: list[dict[str, str]],
    most: int,
    reads_between: set[int],
) -> None:
    process = emptied()
    delivery, story = history(process), Story(process, time)
    found: list[Delivered] = []

    def read() -> None:
        found.extend(in_chunks(delivery, most, found[-1].version if found else 0))

    for number, step in enumerate(steps):
        story.go_on(step, number)
        if number in reads_between:
            read()
    story.go_on({}, len(steps))
    read()

    rows = rows_of(found)
    of_calls = [(key, at) for (key, _, at), each in rows.items() if each.standing.request_id]
    assert sorted(of_calls) == sorted(story.said)
    everything = rows_of(in_chunks(delivery))
    assert {key: rows[key].fields for key in everything} == {
        key: everything[key].fields for key in everything
    }
    by_key = rows_of(delivery.rows_of([(key, CardSide.FRONT) for key in "abc"]))
    assert by_key == everything
