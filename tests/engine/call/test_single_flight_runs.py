"""The same picture once, over many rows and threads, with the answers that a ledger holds."""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.call.row import Recognizer
from airflow_provider_permitocr.engine.models import (
    Answer,
    ImageFacts,
    ImageRow,
    Outcome,
    PermitRequest,
    PermitResponse,
)
from airflow_provider_permitocr.errors import CallError, Decision
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
from airflow_provider_permitocr.options.run import CallRetry, Pace, RunOptions
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from tests.support.row_calls import outcome_of

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.ports import Call

SOON = 30
FAILURES = {
    "passing": CallError("Passing", "not now", Decision.RETRY),
    "final": CallError("Final", "no", Decision.IMAGE),
}


class Pictures(PermitRequestBuilder):
    """Takes what is before a row's slash for its picture."""

    def __init__(self) -> None:
        super().__init__(max_base64_bytes=1000)

    def build(self, row: ImageRow) -> PermitRequest:
        url = str(row.image)
        return PermitRequest(row.card_side, image_url=url, facts=ImageFacts("JPEG", 9, digest=_picture(url)))


class Client:
    """Answers a picture as its script says, one call after the other, and then with fields for ever."""

    def __init__(self, **scripts: Sequence[str]) -> None:
        self._scripts = scripts
        self._lock = threading.Lock()
        self.calls: Counter[tuple[str, str]] = Counter()

    def prepare(self, request: PermitRequest) -> Call:
        return partial(self._answer, request)

    def _answer(self, request: PermitRequest) -> PermitResponse:
        picture = _picture(str(request.image_url))
        with self._lock:
            number = self.calls[picture, request.card_side.value]
            self.calls[picture, request.card_side.value] += 1
        script = self._scripts.get(picture, ())
        if number < len(script):
            raise FAILURES[script[number]]
        return PermitResponse({"Number": f"{picture} {request.card_side}"}, f"r {picture} {number}")


class Committed:
    """Answers that a ledger holds, by picture."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, CardSide], Answer] = {}

    def keep(self, outcome: Outcome) -> None:
        if outcome.status is Status.RECOGNIZED and outcome.facts.digest and outcome.answer_id:
            key = outcome.reused_from or outcome.row.image_key
            answer = Answer(key, outcome.fields, outcome.request_id, outcome.answer_id)
            self._answers[outcome.facts.digest, outcome.row.card_side] = answer

    def find(self, image_digest: str, card_side: CardSide) -> Answer | None:
        return self._answers.get((image_digest, card_side))


def _picture(url: str) -> str:
    return url.partition("/")[0]


def _row(key: str, picture: str, side: CardSide = CardSide.FRONT) -> ImageRow:
    return ImageRow(key, f"{picture}/{key}", side)


def _run(
    rows: Sequence[ImageRow],
    client: Client,
    ledger: Committed | None = None,
    *,
    max_in_flight: int = 4,
    reuse: bool = True,
) -> list[Outcome]:
    """Recognize rows from several threads, and keep what they end with in the ledger."""
    options = RunOptions(
        Pace(100_000, max_in_flight), call_retry=CallRetry(attempts=1), reuse_identical=reuse
    )
    recognizer = Recognizer(Pictures(), client, options, threading.Event(), answers=ledger)

    def recognize(row: ImageRow) -> Outcome:
        outcome = outcome_of(recognizer, row)
        if ledger:
            ledger.keep(outcome)
        return outcome

    with ThreadPoolExecutor(max_in_flight) as pool:
        return list(pool.map(recognize, rows))


@pytest.mark.slow
@given(
    pictures=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(CardSide)), max_size=60),
    scripts=st.dictionaries(
        st.sampled_from("abcd"), st.lists(st.sampled_from(["passing", "final"]), max_size=4)
    ),
    max_in_flight=st.sampled_from([1, 4, 32]),
    with_ledger=st.booleans(),
)
def test_each_picture_costs_no_more_calls_than_it_fails_and_one(
    pictures: list[tuple[str, CardSide]],
    scripts: dict[str, list[str]],
    max_in_flight: int,
    with_ledger: bool,
) -> None:
    rows = [_row(f"k{number}", picture, side) for number, (picture, side) in enumerate(pictures)]
    client = Client(**scripts)
    outcomes = _run(rows, client, Committed() if with_ledger else None, max_in_flight=max_in_flight)

    for (picture, side), listed in Counter(pictures).items():
        calls = client.calls[picture, side.value]
        script = scripts.get(picture, [])
        if "final" in script:
            # Rows that were under way at once may each have called, as they need not wait for each other.
            assert 1 <= calls <= listed
        else:
            assert calls == min(listed, len(script) + 1)
        of_picture = [each for each in outcomes if (each.facts.digest, each.row.card_side) == (picture, side)]
        paid = {each.row.image_key: each for each in of_picture if each.reused_from is None}
        assert len(paid) == calls, "one row of its own for each call, and no call for any other"
        for each in of_picture:
            if each.reused_from is not None:
                first = paid[each.reused_from]
                assert (each.status, each.fields["number"]) == (Status.RECOGNIZED, f"{picture} {side}")
                assert (each.request_id, each.answer_id) == (first.request_id, first.answer_id)


@pytest.mark.parametrize(
    ("with_ledger", "pictures"), [(True, 600), (False, 900)], ids=["in the ledger", "in memory"]
)
def test_a_picture_that_comes_back_much_later_is_still_known(with_ledger: bool, pictures: int) -> None:
    rows = [_row(f"k{number}", f"p{number % pictures}") for number in range(2 * pictures)]
    client = Client()
    outcomes = _run(rows, client, Committed() if with_ledger else None, max_in_flight=32)
    assert sum(each.reused_from is not None for each in outcomes) == pictures
    assert set(client.calls.values()) == {1}


def test_a_second_list_of_the_same_pictures_makes_no_call() -> None:
    ledger, again = Committed(), Client()
    _run([_row(f"k{number}", f"p{number}") for number in range(20)], Client(), ledger)
    outcomes = _run([_row(f"new {number}", f"p{number}") for number in range(20)], again, ledger)
    assert again.calls.total() == 0
    assert [each.reused_from for each in outcomes] == [f"k{number}" for number in range(20)]


def test_a_row_of_the_same_picture_keeps_what_is_its_own() -> None:
    first, second = _row("a", "p"), ImageRow("b", "p/b", tries=1, carried={"city": "x"})
    a, b = _run([first, second], Client(), max_in_flight=1)
    assert (b.row, b.reused_from, b.counts, b.is_verdict) == (second, "a", True, True)
    assert (b.fields, b.request_id, b.answer_id, b.facts) == (a.fields, a.request_id, a.answer_id, a.facts)


def test_unless_it_is_asked_for_each_row_is_called_for() -> None:
    client = Client()
    outcomes = _run([_row(f"k{number}", "p") for number in range(5)], client, Committed(), reuse=False)
    assert client.calls.total() == 5
    assert {each.reused_from for each in outcomes} == {None}


def test_rows_that_wait_take_no_place_in_flight_and_hold_no_image() -> None:
    class Image(str):
        __slots__ = ("__weakref__",)

    class Loader(Pictures):
        def build(self, row: ImageRow) -> PermitRequest:
            image = Image(row.image)
            in_memory.add(image)
            return PermitRequest(row.card_side, image_url=image, facts=ImageFacts(digest=_picture(image)))

    class Held(Client):
        def _answer(self, request: PermitRequest) -> PermitResponse:
            begun.release()
            assert go.wait(SOON)
            return super()._answer(request)

    in_memory: weakref.WeakSet[Image] = weakref.WeakSet()
    begun, go = threading.Semaphore(0), threading.Event()
    options = RunOptions(Pace(1_000, max_in_flight=2), reuse_identical=True)
    recognizer = Recognizer(Loader(), Held(), options, threading.Event())
    wanted = recognizer.rows_wanted
    outcomes: list[Any] = []

    def recognize(row: ImageRow) -> None:
        outcomes.append(recognizer.recognize(row))

    threads = [threading.Thread(target=recognize, args=(_row(f"k{each}", "p"),)) for each in range(20)]
    for thread in threads:
        thread.start()
    assert begun.acquire(timeout=SOON)
    look = threading.Event()
    while recognizer.rows_wanted < wanted + 20:
        look.wait(0.01)
    assert len(in_memory) == 1
    other = threading.Thread(target=recognize, args=(_row("other", "another"),))
    other.start()
    assert begun.acquire(timeout=SOON), "another picture is called for meanwhile"
    go.set()
    for thread in (*threads, other):
        thread.join(SOON)
    assert (len(outcomes), recognizer.calls) == (21, 2)
    assert {outcome.status for outcome in outcomes} == {Status.RECOGNIZED}
