from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import pytest

from airflow_provider_permitocr.engine.call.row import Recognizer
from airflow_provider_permitocr.engine.models import (
    Answer,
    ImageFacts,
    ImageRow,
    Left,
    Outcome,
    PermitRequest,
    PermitResponse,
    UnfitImage,
)
from airflow_provider_permitocr.errors import CallError, Decision
from airflow_provider_permitocr.options.run import CallRetry, Pace, RunOptions
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.ledger.ports import Answers
    from airflow_provider_permitocr.engine.ports import Call

SOON = 30
FACTS = ImageFacts("JPEG", 100, digest="d")
Result = Status | BaseException
FAULTS = {Status.FAILED: Decision.IMAGE, Status.RETRY: Decision.LATER}
Load = Callable[[ImageRow], "PermitRequest | UnfitImage"]


def load(row: ImageRow) -> PermitRequest:
    """Take the image for its own digest."""
    digest = str(row.image) if row.image else None
    return PermitRequest(row.card_side, image_url=row.image_key, facts=ImageFacts("JPEG", 100, digest=digest))


def row(key: str, image: str | None = "d", side: CardSide = CardSide.FRONT) -> ImageRow:
    return ImageRow(key, image, side)


class Asking:
    """Makes calls that end as told, one after the other; those that are told nothing are recognized.

    :param held: calls wait for ``go`` before they end.
    """

    def __init__(self, *results: Result, held: bool = False) -> None:
        self._results = list(results)
        self._lock = threading.Lock()
        self.go = threading.Event()
        if not held:
            self.go.set()
        self.begun = threading.Semaphore(0)
        self.asked: list[str] = []

    def prepare(self, request: PermitRequest) -> Call:
        return partial(self._answer, f"{request.image_url}")

    def _answer(self, key: str) -> PermitResponse:
        key = key.removeprefix("https://x/")
        with self._lock:
            self.asked.append(key)
            result = self._results.pop(0) if self._results else Status.RECOGNIZED
        self.begun.release()
        assert self.go.wait(SOON)
        if isinstance(result, BaseException):
            raise result
        if result is not Status.RECOGNIZED:
            raise CallError("Some.Code", "said no", FAULTS[result], f"r-{key}")
        return PermitResponse({"Number": f"of {key}"}, f"r-{key}")


class Known:
    """A ledger that holds answers; counts how often it was looked into."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def find(self, image_digest: str, card_side: CardSide) -> Answer | None:
        self.asked.append(image_digest)
        return self.answers.get(f"{image_digest}_{card_side}")


class Shared:
    """Rows that share answers; each brings along what loads it, and what is called."""

    def __init__(self, known: Answers | None = None, stop: threading.Event | None = None) -> None:
        self._loads: dict[str, Load] = {}
        self._clients: dict[str, Asking] = {}
        options = RunOptions(
            Pace(100_000, max_in_flight=300),
            call_retry=CallRetry(attempts=3, base_seconds=0),
            reuse_identical=True,
        )
        self._rows = Recognizer(self, self, options, stop or threading.Event(), answers=known)
        self._asking: Asking | None = None

    @property
    def rows_waiting(self) -> int:
        return self._rows.flights.rows_waiting

    def build(self, row: ImageRow) -> PermitRequest | UnfitImage:
        return self._loads[row.image_key](row)

    def prepare(self, request: PermitRequest) -> Call:
        assert self._asking
        return self._asking.prepare(request)

    def recognize(self, row: ImageRow, load: Load, ask: Asking) -> Outcome:
        outcome = self.end_of(row, load, ask)
        assert isinstance(outcome, Outcome)
        return outcome

    def end_of(self, row: ImageRow, load: Load, ask: Asking) -> Outcome | Left:
        self._loads[row.image_key], self._asking = load, ask
        return self._rows.recognize(row)


def answers(known: Answers | None = None) -> Shared:
    return Shared(known)


def until(condition: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(SOON * 100):
        if condition():
            return
        waiting.wait(0.01)
    raise AssertionError("it never came about")


def test_the_same_picture_is_called_for_once_and_says_from_which_key() -> None:
    shared, ask = answers(), Asking()
    outcomes = [shared.recognize(row(key), load, ask) for key in "abc"]
    assert ask.asked == ["a"]
    assert [(each.row.image_key, each.reused_from) for each in outcomes] == [
        ("a", None),
        ("b", "a"),
        ("c", "a"),
    ]
    for each in outcomes:
        assert (each.status, each.fields["number"], each.request_id) == (Status.RECOGNIZED, "of a", "r-a")
        assert each.answer_id == outcomes[0].answer_id
        assert each.facts == FACTS


@pytest.mark.parametrize("other", [row("b", "another"), row("b", side=CardSide.BACK)])
def test_another_picture_or_side_is_called_for(other: ImageRow) -> None:
    shared, ask = answers(), Asking()
    shared.recognize(row("a"), load, ask)
    assert shared.recognize(other, load, ask).reused_from is None
    assert ask.asked == ["a", "b"]


def test_what_only_the_api_sees_is_called_for_each_time() -> None:
    known, ask = Known(), Asking()
    shared = answers(known)
    for key in "ab":
        assert shared.recognize(row(key, None), load, ask).reused_from is None
    assert (ask.asked, known.asked) == (["a", "b"], [])


def test_an_answer_of_the_ledger_is_taken_and_looked_up_once() -> None:
    known = Known(d_FRONT=Answer("old", {"number": "7"}, "r-old", "c-old"))
    shared, ask = answers(known), Asking()
    for key in "ab":
        found = shared.recognize(row(key), load, ask)
        assert (found.reused_from, found.fields["number"], found.request_id) == ("old", "7", "r-old")
        assert found.answer_id == "c-old"
    assert (ask.asked, known.asked) == ([], ["d"])


def test_a_ledger_that_cannot_be_looked_into_holds_nobody_up() -> None:
    class Away(Known):
        def find(self, image_digest: str, card_side: CardSide) -> Answer | None:
            raise OSError("away")

    shared = answers(Away())
    for key in "ab":
        with pytest.raises(OSError, match="away"):
            shared.recognize(row(key), load, Asking())


def test_rows_wait_for_the_answer_that_is_under_way() -> None:
    shared, ask = answers(), Asking(held=True)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(shared.recognize, row("a"), load, ask)
        assert ask.begun.acquire(timeout=SOON)
        others = [pool.submit(shared.recognize, row(str(number)), load, ask) for number in range(8)]
        until(lambda: shared.rows_waiting == 8)
        ask.go.set()
        assert first.result(SOON).reused_from is None
        assert {each.result(SOON).reused_from for each in others} == {"a"}
    assert (ask.asked, shared.rows_waiting) == (["a"], 0)


def test_a_row_that_has_waited_is_not_loaded_again() -> None:
    loaded: list[str] = []

    def load_once(row: ImageRow) -> PermitRequest:
        loaded.append(row.image_key)
        return load(row)

    shared, ask = answers(), Asking(held=True)
    with ThreadPoolExecutor(2) as pool:
        pool.submit(shared.recognize, row("a"), load_once, ask)
        assert ask.begun.acquire(timeout=SOON)
        second = pool.submit(shared.recognize, row("b"), load_once, ask)
        until(lambda: shared.rows_waiting == 1)
        ask.go.set()
        assert second.result(SOON).facts == FACTS
    assert sorted(loaded) == ["a", "b"]


def test_more_rows_that_wait_make_room_for_no_more_others_than_there_are_threads() -> None:
    shared, ask = answers(), Asking(held=True)
    with ThreadPoolExecutor(151) as pool:
        pool.submit(shared.recognize, row("a"), load, ask)
        assert ask.begun.acquire(timeout=SOON)
        for number in range(150):
            pool.submit(shared.recognize, row(str(number)), load, ask)
        until(lambda: shared.rows_waiting == 128)
        ask.go.set()
    assert ask.asked == ["a"]


def test_where_the_first_gave_up_for_now_the_next_one_leads() -> None:
    shared, ask = answers(), Asking(Status.RETRY, held=True)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(shared.recognize, row("a"), load, ask)
        assert ask.begun.acquire(timeout=SOON)
        others = [pool.submit(shared.recognize, row(str(number)), load, ask) for number in range(8)]
        until(lambda: shared.rows_waiting == 8)
        ask.go.set()
        assert first.result(SOON).status is Status.RETRY
        outcomes = [each.result(SOON) for each in others]
    assert len(ask.asked) == 2
    assert [each.reused_from for each in outcomes].count(None) == 1
    assert {each.status for each in outcomes} == {Status.RECOGNIZED}


def test_where_the_image_failed_each_calls_for_itself_at_the_same_time() -> None:
    shared, ask = answers(), Asking(*[Status.FAILED] * 9)
    assert shared.recognize(row("a"), load, ask).status is Status.FAILED
    ask.go.clear()
    with ThreadPoolExecutor(8) as pool:
        others = [pool.submit(shared.recognize, row(str(number)), load, ask) for number in range(8)]
        all_begun = all(ask.begun.acquire(timeout=SOON) for _ in range(9))
        ask.go.set()
        assert all_begun
        assert {each.result(SOON).status for each in others} == {Status.FAILED}
    assert len(ask.asked) == 9


def test_a_failed_picture_that_is_recognized_after_all_is_shared_from_then_on() -> None:
    shared, ask = answers(), Asking(Status.FAILED)
    outcomes = [shared.recognize(row(key), load, ask) for key in "abc"]
    assert [each.status for each in outcomes] == [Status.FAILED, Status.RECOGNIZED, Status.RECOGNIZED]
    assert (outcomes[2].reused_from, ask.asked) == ("b", ["a", "b"])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("broken")])
def test_a_row_whose_call_breaks_off_leaves_nobody_waiting(error: BaseException) -> None:
    shared, ask = answers(), Asking(error)
    with pytest.raises(type(error)):
        shared.recognize(row("a"), load, ask)
    assert shared.recognize(row("b"), load, ask).reused_from is None


def test_once_stopped_nobody_waits_for_an_answer_that_may_take_long() -> None:
    stop, ask = threading.Event(), Asking(held=True)
    shared = Shared(stop=stop)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shared.recognize, row("a"), load, ask)
        assert ask.begun.acquire(timeout=SOON)
        second = pool.submit(shared.end_of, row("b"), load, ask)
        until(lambda: shared.rows_waiting == 1)
        stop.set()
        assert second.result(SOON) is Left.STOPPED
        assert not first.done()
        ask.go.set()
        assert first.result(SOON).status is Status.RECOGNIZED


def test_an_image_that_changes_between_two_tries_is_answered_as_what_was_sent_last() -> None:
    busy = CallError("Busy", "later", Decision.RETRY)
    shared, ask = answers(), Asking(busy)
    images = iter(["before", "after"])

    def change(row: ImageRow) -> PermitRequest:
        return load(ImageRow(row.image_key, next(images)))

    assert shared.recognize(row("a"), change, ask).reused_from is None
    assert shared.recognize(row("b", "after"), load, ask).reused_from == "a"
    assert shared.recognize(row("c", "before"), load, ask).reused_from is None


def test_an_image_that_is_gone_at_the_second_try_leaves_nobody_waiting() -> None:
    busy = CallError("Busy", "later", Decision.RETRY)
    shared, ask = answers(), Asking(busy)
    gone = UnfitImage(Status.RETRY, "ImageNotFound", "there is no such file")
    found: Iterator[PermitRequest | UnfitImage] = iter([load(row("a")), gone])
    assert shared.recognize(row("a"), lambda _row: next(found), ask).error_code == "ImageNotFound"
    assert shared.recognize(row("b"), load, ask).status is Status.RECOGNIZED


def test_an_image_is_let_go_of_while_its_row_waits() -> None:
    class Image(str):
        __slots__ = ("__weakref__",)

    in_memory: weakref.WeakSet[Image] = weakref.WeakSet()

    def load_large(row: ImageRow) -> PermitRequest:
        image = Image(f"https://x/{row.image_key}")
        in_memory.add(image)
        return PermitRequest(row.card_side, image_url=image, facts=FACTS)

    shared, ask = answers(), Asking(held=True)
    with ThreadPoolExecutor(9) as pool:
        futures: list[Future[Outcome]] = [pool.submit(shared.recognize, row("a"), load_large, ask)]
        assert ask.begun.acquire(timeout=SOON)
        futures += [pool.submit(shared.recognize, row(str(number)), load_large, ask) for number in range(8)]
        until(lambda: shared.rows_waiting == 8)
        until(lambda: len(in_memory) == 0)
        ask.go.set()
        assert {each.result(SOON).status for each in futures} == {Status.RECOGNIZED}


@pytest.mark.parametrize(("known", "kept"), [(None, 5_000), (Known(), 512)])
def test_so_many_answers_are_kept_and_those_used_last_stay(known: Answers | None, kept: int) -> None:
    shared, ask = answers(known), Asking()
    for number in range(kept):
        shared.recognize(row(str(number), str(number)), load, ask)
    assert shared.recognize(row("again", "0"), load, ask).reused_from == "0"
    shared.recognize(row("one more", "one more"), load, ask)
    assert shared.recognize(row("again", "0"), load, ask).reused_from == "0"
    assert shared.recognize(row("again", "1"), load, ask).reused_from is None


def test_neither_fields_nor_images_show_in_an_answers_words() -> None:
    assert "李优图" not in repr(Answer("k", {"name": "李优图"}, "r-1"))
