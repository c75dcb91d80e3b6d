"""What a plan tells is what the run then does, on fakes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.models import (
    ImageFacts,
    ImageRow,
    PermitRequest,
    PermitResponse,
    UnfitImage,
)
from airflow_provider_permitocr.engine.plan.plan import Plan
from airflow_provider_permitocr.engine.plan.planner import Planner
from airflow_provider_permitocr.errors import (
    CallError,
    Decision,
    RunStoppedError,
)
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.run import CallRetry, FailureLimits, Pace, RunOptions
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.ports import Call
    from tests.engine.conftest import Bench, FakeSource

NOW = datetime(2026, 2, 1, tzinfo=UTC)
PASSING = CallError("InternalError", "try later", Decision.RETRY)
FINAL = CallError("FailedOperation.ImageNoSpecifiedCard", "no card", Decision.IMAGE)
PACE = Pace(20)
KINDS = ["good", "passing", "final", "rejected", "unavailable"]
RUN: dict[str, Any] = {"call_retry": CallRetry(attempts=1), "failure_limits": FailureLimits(stop_after=None)}


class Loader(PermitRequestBuilder):
    """Takes an image as its kind, a slash and its picture."""

    def __init__(self) -> None:
        super().__init__(max_base64_bytes=1000)
        self._lock = threading.Lock()
        self._inside = 0
        self.loaded = self.most_inside = 0

    def build(self, row: ImageRow) -> PermitRequest | UnfitImage:
        with self._lock:
            self.loaded += 1
            self._inside += 1
            self.most_inside = max(self.most_inside, self._inside)
        try:
            return self._request(row, str(row.image))
        finally:
            with self._lock:
                self._inside -= 1

    def _request(self, row: ImageRow, image: str) -> PermitRequest | UnfitImage:
        if image.startswith("rejected"):
            return UnfitImage(Status.REJECTED, "ImageEmpty", "the image has no content")
        if image.startswith("unavailable"):
            return UnfitImage(Status.RETRY, "ImageNotFound", "there is no such file")
        digest = hashlib.sha256(image.encode()).hexdigest()
        return PermitRequest(row.card_side, image_url=image, facts=ImageFacts(digest=digest))


class Client:
    """Answers an image by its kind, or all with fields."""

    def __init__(self, *, fails: bool) -> None:
        self._fails = fails

    def prepare(self, request: PermitRequest) -> Call:
        return partial(self._answer, str(request.image_url).partition("/")[0])

    def _answer(self, kind: str) -> PermitResponse:
        if self._fails and kind == "passing":
            raise PASSING
        if self._fails and kind == "final":
            raise FINAL
        return PermitResponse({"Number": "1"}, "r")


@pytest.fixture
def plan(new_source: type[FakeSource]) -> Callable[..., Plan]:
    """Plan a run of a bench; further arguments of the planner and of the run's options by name."""
    return partial(make_plan, new_source)


def make_plan(
    new_source: type[FakeSource],
    bench: Bench,
    rows: list[ImageRow] | FakeSource,
    pace: Pace = PACE,
    budget: Budget = Budget(),
    reuse_identical: bool = False,
    **arguments: Any,
) -> Plan:
    planner = Planner(
        new_source(rows) if isinstance(rows, list) else rows,
        bench.request_builder,
        bench.ledger,
        RunOptions(pace, budget=budget, reuse_identical=reuse_identical),
        look_at_tables=[bench.target.look],
        log=bench.lines,
        stop=bench.stop,
        **arguments,
    )
    return planner.plan()


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 2), st.sampled_from(CardSide)), max_size=25),
    st.lists(st.booleans(), min_size=25, max_size=25),
    st.integers(0, 25),
    st.booleans(),
)
def test_a_plan_calls_for_as_many_images_as_the_run_then_does(
    new_bench: type[Bench],
    new_source: type[FakeSource],
    images: list[tuple[str, int, CardSide]],
    changed: list[bool],
    done_before: int,
    reuse: bool,
) -> None:
    bench = new_bench(request_builder=Loader())
    rows = [
        ImageRow(f"k{place // 2}", f"{kind}/{picture}", side)
        for place, (kind, picture, side) in enumerate(images)
    ]
    rows = list({row.row_key: row for row in rows}.values())
    first: Any = Client(fails=True)
    bench.run(rows[:done_before], first, reuse_identical=reuse, **RUN)
    rows = [
        ImageRow(row.image_key, row.image, row.card_side, NOW if is_changed else None)
        for row, is_changed in zip(rows, changed, strict=False)
    ]
    written = dict(bench.ledger.standings)

    plan = make_plan(new_source, bench, new_source(rows, page_rows=4), reuse_identical=reuse)

    assert bench.ledger.standings == written
    then: Any = Client(fails=False)
    summary = bench.run(rows, then, reuse_identical=reuse, **RUN)
    assert plan.to_call == summary.calls
    assert (plan.listed, plan.settled) == (summary.listed, summary.skipped)
    assert plan.same_picture == summary.reused
    assert dict(plan.rejected) | dict(plan.unavailable) == summary.error_codes
    told = plan.rejected.values(), plan.unavailable.values()
    assert plan.listed == plan.settled + plan.same_picture + plan.to_call + sum(map(sum, told))


def test_a_plan_tells_time_and_cost_at_the_pace_of_the_run(bench: Bench, plan: Callable[..., Plan]) -> None:
    told = plan(bench, bench.images(980), Pace(10), Budget(price_per_call=0.0015, currency="USD"))
    assert (told.to_call, told.cost) == (980, "1.47 USD")
    assert told.seconds == pytest.approx(100)
    assert (told.calls_left, told.allowed, told.allowed_cost) == (None, 980, "1.47 USD")


def test_what_the_caps_leave_is_asked_once_the_list_has_been_looked_at(
    bench: Bench, plan: Callable[..., Plan], new_source: type[FakeSource]
) -> None:
    source = new_source(bench.images(100))
    left = lambda: 40 if source.read == 100 else 0  # noqa: E731
    told = plan(bench, source, Pace(10), Budget(price_per_call=1), calls_left=left)
    assert (told.calls_left, told.allowed, told.allowed_cost) == (40, 40, "40.00")
    assert told.allowed_seconds == pytest.approx(40 / 9.8)


def test_a_quick_plan_fetches_no_image(
    bench: Bench, plan: Callable[..., Plan], new_source: type[FakeSource]
) -> None:
    bench.run(bench.images(20))
    bench.request_builder = builder = Loader()
    source = new_source(bench.images(50))
    told = plan(bench, source, is_quick=True)
    assert (told.settled, told.to_call, told.is_quick) == (20, 30, True)
    assert (source.fetched, builder.loaded) == (0, 0)


@pytest.mark.parametrize("is_quick", [True, False])
def test_keys_that_the_ledger_cannot_hold_are_rejected_by_the_plan_as_by_the_run(
    bench: Bench, plan: Callable[..., Plan], is_quick: bool
) -> None:
    bench.ledger.unfit = {"3", "4"}
    told = plan(bench, bench.images(10), is_quick=is_quick)
    assert (told.rejected, told.to_call, told.settled) == ({"LedgerRefusesKey": 2}, 8, 0)


def test_a_plan_of_a_run_without_a_result_table_looks_at_the_ledger_alone(
    bench: Bench, new_source: type[FakeSource]
) -> None:
    bench.run(bench.images(4))
    planner = Planner(
        new_source(bench.images(10)),
        bench.request_builder,
        bench.ledger,
        RunOptions(PACE),
        log=bench.lines,
        stop=bench.stop,
    )
    told = planner.plan()
    assert (told.settled, told.to_call) == (4, 6)


def test_few_images_are_in_memory_at_a_time(
    bench: Bench, plan: Callable[..., Plan], new_source: type[FakeSource]
) -> None:
    source = new_source(bench.images(500))
    ahead = []

    class Slow(Loader):
        def _request(self, row: ImageRow, image: str) -> PermitRequest | UnfitImage:
            ahead.append(source.fetched - self.loaded)
            return super()._request(row, image)

    bench.request_builder = builder = Slow()
    assert plan(bench, source).to_call == 500
    assert builder.most_inside <= 16
    assert max(ahead) <= 16


def test_progress_is_told_in_numbers_alone(
    bench: Bench, plan: Callable[..., Plan], racing_clock: Callable[[], float]
) -> None:
    plan(bench, bench.images(300), clock=racing_clock)
    assert any("of 300 images looked at" in line and "images/s" in line for line in bench.lines)
    assert not any("https://x/" in line for line in bench.lines)


def test_a_plan_that_is_stopped_is_none(
    bench: Bench, plan: Callable[..., Plan], new_source: type[FakeSource]
) -> None:
    source = new_source(bench.images(100), before_page=bench.stop.set)
    for is_quick in (True, False):
        bench.stop.clear()
        with pytest.raises(RunStoppedError, match="stopped before the whole list was read"):
            plan(bench, source, is_quick=is_quick)


def test_an_error_of_the_list_ends_the_plan(
    bench: Bench, plan: Callable[..., Plan], new_source: type[FakeSource]
) -> None:
    def lose() -> None:
        raise ConnectionError("lost")

    with pytest.raises(ConnectionError, match="lost"):
        plan(bench, new_source(bench.images(100), before_page=lose))


def test_an_empty_list_costs_nothing(bench: Bench, plan: Callable[..., Plan]) -> None:
    told = plan(bench, [], budget=Budget(price_per_call=1, currency="USD"))
    assert (told.listed, told.to_call, told.seconds, told.cost) == (0, 0, 0.0, "0.00 USD")
