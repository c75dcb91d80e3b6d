from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from airflow_provider_permitocr.engine.ledger.calls import Attempt
from airflow_provider_permitocr.engine.ledger.standing import Standing
from airflow_provider_permitocr.engine.models import ImageRow, ListedImage, Previous
from airflow_provider_permitocr.engine.run.selection import (
    Wanted,
    fetched_rows,
    is_wanted,
    still_wanted,
    wanted_pages,
    wanted_rows,
)
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status

if TYPE_CHECKING:
    from tests.engine.conftest import FakeSource
    from tests.support.fake_ledger import FakeLedger

SEEN = datetime(2026, 1, 31, 12, tzinfo=UTC)
LATER = SEEN + timedelta(microseconds=1)
SETTLED = [Status.RECOGNIZED, Status.REJECTED, Status.FAILED]


def listed(updated_at: datetime | None = None) -> ListedImage:
    return ListedImage("k", updated_at=updated_at)


def why(image: ListedImage, previous: Previous | None) -> Wanted:
    """Why an image is wanted of which this is known."""
    known = SimpleNamespace(previous=lambda keys: {image.row_key: previous} if previous else {})
    return still_wanted([image], known)[image]


def test_a_new_image_is_tried_for_the_first_time() -> None:
    assert is_wanted(listed().updated_at, None)
    assert why(listed(), None) == Wanted(0)


@pytest.mark.parametrize("status", SETTLED)
@pytest.mark.parametrize("updated_at", [None, SEEN, SEEN - timedelta(days=1)])
def test_what_is_settled_is_skipped_unless_the_image_changed(
    status: Status, updated_at: datetime | None
) -> None:
    assert not is_wanted(listed(updated_at).updated_at, Previous(status, 1, SEEN))


@pytest.mark.parametrize("status", Status)
def test_a_changed_image_is_tried_again_whatever_became_of_it(status: Status) -> None:
    previous = Previous(status, 3, SEEN)
    assert is_wanted(listed(LATER).updated_at, previous)
    assert why(listed(LATER), previous).tries == 0


@pytest.mark.parametrize("updated_at", [None, SEEN])
def test_an_image_given_up_for_a_while_is_tried_again_and_keeps_count(updated_at: datetime | None) -> None:
    previous = Previous(Status.RETRY, 2, SEEN)
    assert is_wanted(listed(updated_at).updated_at, previous)
    assert why(listed(updated_at), previous) == Wanted(2)


@pytest.mark.parametrize("status", [Status.REDO, Status.GONE])
def test_an_image_that_is_asked_for_anew_or_listed_again_is_wanted(status: Status) -> None:
    previous = Previous(status, 0, SEEN)
    assert is_wanted(SEEN, previous)
    assert why(listed(), previous).is_redone is (status is Status.REDO)


@pytest.mark.parametrize("status", SETTLED)
def test_an_attempt_of_unknown_time_stays_settled(status: Status) -> None:
    assert not is_wanted(listed(LATER).updated_at, Previous(status, 1, None))


def test_times_are_compared_across_time_zones() -> None:
    same_moment = SEEN.astimezone(timezone(timedelta(hours=8)))
    assert not is_wanted(listed(same_moment).updated_at, Previous(Status.RECOGNIZED, 1, SEEN))


def images(number: int) -> list[ImageRow]:
    return [ImageRow(str(key), f"https://x/{key}") for key in range(number)]


def settle(ledger: FakeLedger, status: Status, *keys: int) -> None:
    for key in keys:
        row_key = (str(key), CardSide.FRONT)
        standing = ledger.standings.get(row_key, Standing())
        tried = Attempt(row_key, status, tries=standing.tries + 1)
        ledger.standings[row_key] = standing.after(tried, order=1, now=SEEN, run="an earlier run")


@pytest.fixture
def ledger(new_ledger: type[FakeLedger]) -> FakeLedger:
    return new_ledger()


def test_rows_are_streamed_with_their_images_and_tries_and_what_is_left_out_is_said(
    ledger: FakeLedger, new_source: type[FakeSource]
) -> None:
    settle(ledger, Status.RECOGNIZED, 0, 1, 2)
    settle(ledger, Status.RETRY, 3)
    settle(ledger, Status.RETRY, 3)
    ledger.unfit = {"5"}
    skipped: list[int] = []
    rejected: list[tuple[str, str]] = []
    rows = wanted_rows(
        new_source(images(8), page_rows=4),
        ledger,
        is_over=lambda: False,
        skip=skipped.append,
        reject=lambda listed, fault: rejected.append((listed.image_key, fault)),
    )
    assert [row and (row.image_key, row.tries) for row in rows] == [
        *(("3", 2), None),
        *(("4", 0), ("6", 0), ("7", 0), None),
    ]
    assert sum(skipped) == 3
    assert rejected == [("5", "it is too long")]


def test_what_is_prepared_before_images_is_left_out_where_none_is_wanted(
    ledger: FakeLedger, new_source: type[FakeSource]
) -> None:
    settle(ledger, Status.RECOGNIZED, 0, 1, 2, 3)
    prepared: list[int] = []

    def rows(number: int) -> Iterator[ImageRow | None]:
        return wanted_rows(
            new_source(images(number), page_rows=4),
            ledger,
            is_over=lambda: False,
            skip=lambda _: None,
            reject=lambda _listed, _fault: None,
            before_images=lambda: prepared.append(number),
        )

    assert [row for row in rows(4) if row] == []
    assert prepared == []
    assert len([row for row in rows(5) if row]) == 1
    assert prepared == [5]


def test_no_page_is_asked_for_once_it_is_over(ledger: FakeLedger, new_source: type[FakeSource]) -> None:
    source = new_source(images(100), page_rows=10)
    pages = wanted_pages(
        source,
        ledger,
        is_over=lambda: source.read > 20,
        skip=lambda _: None,
        reject=lambda _listed, _fault: None,
    )
    assert [len(page) for page in pages] == [10, 10]


def test_an_image_that_is_no_longer_listed_is_left_out_and_counted(new_source: type[FakeSource]) -> None:
    source = new_source(images(3))
    (page,) = source.pages()
    fetch = source.images
    source.images = lambda listed: fetch(listed[:2])  # type: ignore[method-assign]
    skipped: list[int] = []
    rows = fetched_rows(source, dict.fromkeys(page, Wanted(1)), is_over=lambda: False, skip=skipped.append)
    assert [(row.image_key, row.tries) for row in rows] == [("0", 1), ("1", 1)]
    assert sum(skipped) == 1


def test_both_sides_of_a_key_are_looked_up_apart(ledger: FakeLedger) -> None:
    asked: list[Sequence[object]] = []

    def previous(row_keys: Sequence[tuple[str, CardSide]]) -> Mapping[tuple[str, CardSide], Previous]:
        asked.append(row_keys)
        return {("k", CardSide.BACK): Previous(Status.RECOGNIZED, 1, SEEN)}

    ledger.previous = previous  # type: ignore[method-assign]
    both = [ListedImage("k", CardSide.FRONT), ListedImage("k", CardSide.BACK)]
    assert still_wanted(both, ledger) == {both[0]: Wanted()}
    assert asked == [[("k", CardSide.FRONT), ("k", CardSide.BACK)]]
