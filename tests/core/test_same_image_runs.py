"""The same picture once, over whole runs on fakes."""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.calls import CallIntent, CallResult, Grant
from airflow_provider_permitocr.core.columns import ANSWER_COLUMNS
from airflow_provider_permitocr.core.errors import CallError, Decision
from airflow_provider_permitocr.core.image_loader import ImageLoader
from airflow_provider_permitocr.core.models import ImageFacts, ImageRow, PermitRequest, PermitResponse, Status
from airflow_provider_permitocr.core.options import Batch, CallRetry, FailureLimits, Pace, RunOptions
from airflow_provider_permitocr.core.recognize import Recognizer
from airflow_provider_permitocr.core.same_image import Answer

if TYPE_CHECKING:
    from airflow_provider_permitocr.core.ports import Call
    from tests.core.conftest import Bench, FakeTarget

SOON = 30
FAILURES = {
    "passing": CallError("Passing", "not now", Decision.RETRY),
    "final": CallError("Final", "no", Decision.IMAGE),
}
SETTINGS: dict[str, Any] = {
    "reuse_same_image": True,
    "call_retry": CallRetry(attempts=1),
    "failure_limits": FailureLimits(stop_after=None),
}


class Pictures(ImageLoader):
    """Takes what is before a row's slash for its picture."""

    def __init__(self) -> None:
        super().__init__(max_base64_bytes=1000)

    def request(self, row: ImageRow) -> PermitRequest:
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
    """Looks for pictures in what a fake target has been written."""

    def __init__(self, target: FakeTarget) -> None:
        self._target = target
        self.prepared = 0

    def prepare(self) -> None:
        self.prepared += 1

    def find(self, image_digest: str, card_side: CardSide) -> Answer | None:
        for row in list(self._target.rows.values()):
            if (row["image_digest"], row["card_side"], row["status"]) == (
                image_digest,
                card_side.value,
                "recognized",
            ):
                fields = {name: row[name] for name in ANSWER_COLUMNS}
                return Answer(row["reused_from"] or row["image_key"], fields, row["request_id"])
        return None


class Ledger:
    """Grants every call and remembers it."""

    def __init__(self) -> None:
        self.intents: list[CallIntent] = []

    def prepare(self) -> None:
        pass

    def exchange(self, intents: Sequence[CallIntent], results: Sequence[CallResult]) -> Sequence[Grant]:
        self.intents += intents
        return [Grant.GRANTED] * len(intents)


def _picture(url: str) -> str:
    return url.partition("/")[0]


def _row(key: str, picture: str, side: CardSide = CardSide.FRONT) -> ImageRow:
    return ImageRow(key, f"{picture}/{key}", side)


def _with_table(bench: Bench) -> Bench:
    bench.image_loader = Pictures()
    bench.same_images = Committed(bench.target)
    return bench


@given(
    pictures=st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(CardSide)), max_size=60),
    scripts=st.dictionaries(
        st.sampled_from("abcd"), st.lists(st.sampled_from(["passing", "final"]), max_size=4)
    ),
    batch_rows=st.sampled_from([1, 3, 50]),
    max_at_once=st.sampled_from([1, 4, 32]),
    with_table=st.booleans(),
)
def test_every_row_ends_once_and_each_picture_costs_no_more_calls_than_it_fails_and_one(
    new_bench: type[Bench],
    pictures: list[tuple[str, CardSide]],
    scripts: dict[str, list[str]],
    batch_rows: int,
    max_at_once: int,
    with_table: bool,
) -> None:
    bench = new_bench(image_loader=Pictures())
    if with_table:
        bench.same_images = Committed(bench.target)
    rows = [_row(f"k{number}", picture, side) for number, (picture, side) in enumerate(pictures)]
    client = Client(**scripts)

    summary = bench.run(rows, client, batch=Batch(rows=batch_rows), max_at_once=max_at_once, **SETTINGS)  # type: ignore[arg-type]

    assert len(bench.target.rows) == sum(len(batch) for batch in bench.target.batches) == len(rows)
    asked = Counter(pictures)
    for (picture, side), listed in asked.items():
        calls = client.calls[picture, side.value]
        script = scripts.get(picture, [])
        if "final" in script:
            # Rows that were under way at once may each have called, as they need not wait for each other.
            assert 1 <= calls <= listed
        else:
            assert calls == min(listed, len(script) + 1)
        of_picture = [bench.target.rows[row.image_key, side] for row in rows if row.card_side is side]
        of_picture = [row for row in of_picture if row["image_digest"] == picture]
        paid = {row["image_key"]: row for row in of_picture if row["reused_from"] is None}
        assert len(paid) == calls, "one row of its own for each call, and no call for any other"
        for row in of_picture:
            if row["reused_from"] is not None:
                first = paid[row["reused_from"]]
                assert (row["status"], row["number"]) == ("recognized", f"{picture} {side}")
                assert row["request_id"] == first["request_id"]
    assert summary.calls == client.calls.total()
    assert summary.reused == len(rows) - summary.calls


@pytest.mark.parametrize(
    ("batch", "pictures"), [(Batch(rows=5), 600), (Batch(rows=1_000, seconds=3600), 900)]
)
def test_a_picture_that_comes_back_much_later_is_still_known(
    bench: Bench, batch: Batch, pictures: int
) -> None:
    rows = [_row(f"k{number}", f"p{number % pictures}") for number in range(2 * pictures)]
    client = Client()
    summary = _with_table(bench).run(rows, client, batch=batch, max_at_once=32, **SETTINGS)  # type: ignore[arg-type]
    assert (summary.calls, summary.reused) == (pictures, pictures)
    assert set(client.calls.values()) == {1}


def test_a_second_list_of_the_same_pictures_makes_no_call(bench: Bench) -> None:
    _with_table(bench).run([_row(f"k{number}", f"p{number}") for number in range(20)], Client(), **SETTINGS)  # type: ignore[arg-type]
    again = Client()
    summary = bench.run([_row(f"new {number}", f"p{number}") for number in range(20)], again, **SETTINGS)  # type: ignore[arg-type]
    assert (summary.calls, summary.reused, again.calls.total()) == (0, 20, 0)
    assert bench.target.rows["new 7", "FRONT"]["reused_from"] == "k7"
    assert isinstance(bench.same_images, Committed)
    assert bench.same_images.prepared == 2


def test_a_row_of_the_same_picture_keeps_what_is_its_own(bench: Bench) -> None:
    first = _row("a", "p")
    second = ImageRow("b", "p/b", updated_at=bench.now, tries=1, carried={})
    _with_table(bench).run([first, second], Client(), max_at_once=1, **SETTINGS)  # type: ignore[arg-type]
    a, b = bench.target.rows["a", "FRONT"], bench.target.rows["b", "FRONT"]
    own = ("image_key", "reused_from", "tries", "image_updated_at", "processed_at", "run_id")
    assert {name: b[name] for name in own} == {
        "image_key": "b",
        "reused_from": "a",
        "tries": 1,
        "image_updated_at": bench.now,
        "processed_at": bench.now,
        "run_id": "run 1",
    }
    assert {name: value for name, value in a.items() if name not in own} == {
        name: value for name, value in b.items() if name not in own
    }


def test_the_ledger_has_no_row_for_an_answer_that_was_taken_over(bench: Bench) -> None:
    bench.ledger = ledger = Ledger()
    rows = [_row(f"k{number}", f"p{number % 3}") for number in range(12)]
    summary = _with_table(bench).run(rows, Client(), **SETTINGS)  # type: ignore[arg-type]
    assert (summary.calls, summary.billed, summary.reused) == (3, 3, 9)
    assert sorted(intent.image_digest or "" for intent in ledger.intents) == ["p0", "p1", "p2"]


def test_unless_it_is_asked_for_each_row_is_called_for(bench: Bench) -> None:
    client = Client()
    rows = [_row(f"k{number}", "p") for number in range(5)]
    settings = SETTINGS | {"reuse_same_image": False}
    summary = _with_table(bench).run(rows, client, **settings)  # type: ignore[arg-type]
    assert (summary.calls, summary.reused) == (5, 0)


def test_rows_that_wait_take_no_place_in_flight_and_hold_no_image() -> None:
    class Image(str):
        __slots__ = ("__weakref__",)

    class Loader(Pictures):
        def request(self, row: ImageRow) -> PermitRequest:
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
    options = RunOptions(Pace(1_000, max_at_once=2), reuse_same_image=True)
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
