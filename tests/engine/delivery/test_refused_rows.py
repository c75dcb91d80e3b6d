"""Rows that a table has refused are tried again once a run, and cost few statements as long as it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_permitocr.engine.delivery.batch import TableWriter
from airflow_provider_permitocr.engine.delivery.refused_rows import try_refused_again
from airflow_provider_permitocr.engine.delivery.table_filler import TableFiller
from airflow_provider_permitocr.engine.ledger.deliveries import DeliveryState, Refusal
from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.permit.status import Status
from tests.support.delivery_fakes import FakeDelivery, FakeResultTable, answered, image

Refuses = Callable[[dict[str, Any]], str | None]


class Target:
    """A table that has refused so many rows, ``k0000`` on, with nothing in their place."""

    def __init__(self, number: int, refuses: Refuses) -> None:
        images = [answered(f"k{place:04}", 5) for place in range(number)]
        self.delivery = FakeDelivery(*images, delivered=9, rows=3, highest=9)
        self.delivery.is_claimed = True
        self.delivery.refused = {
            each.row_key: Refusal(each.row_key, "the table refuses it: CheckViolation", has_row=False)
            for each in images
        }
        self.table = FakeResultTable()
        self.tried = 0

        def count(row: dict[str, Any]) -> str | None:
            self.tried += 1
            return refuses(row)

        self.table.refuses = count

    def try_again(self) -> DeliveryState:
        self.delivery.new_run()
        writer = TableWriter(self.table, COLUMNS)
        return try_refused_again(self.delivery, writer, self.delivery.state, is_over=lambda: False)


def all_alike(row: dict[str, Any]) -> str:
    return "the table refuses it: CheckViolation"


def test_where_the_first_twenty_are_refused_alike_the_rest_waits() -> None:
    target = Target(10_000, all_alike)
    target.try_again()
    assert (target.tried, len(target.delivery.refused)) == (20, 10_000)


def test_once_the_cause_is_gone_all_are_written_and_counted() -> None:
    target = Target(1_200, lambda row: None)
    state = target.try_again()
    assert (len(target.table.rows), target.delivery.refused) == (1_200, {})
    assert (state.rows, state.highest) == (1_203, 9)


@pytest.mark.parametrize("every", [2, 3, 10])
def test_where_some_are_still_refused_few_are_tried(every: int) -> None:
    target = Target(10_000, lambda row: "refused" if int(row["image_key"][1:]) % every == 0 else None)
    target.try_again()
    still_refused = target.tried - len(target.table.rows)
    assert still_refused <= 20
    assert len(target.delivery.refused) == 10_000 - len(target.table.rows)


def test_fewer_rows_than_that_are_all_tried() -> None:
    target = Target(7, all_alike)
    target.try_again()
    assert target.tried == 7


def test_an_image_that_the_ledger_knows_no_more_is_forgotten() -> None:
    target = Target(3, all_alike)
    del target.delivery.images[next(iter(target.delivery.images))]
    target.try_again()
    assert len(target.delivery.refused) == 2


def test_rows_without_a_place_stay_uncounted_while_they_are_refused() -> None:
    target = Target(30, lambda row: None if row["image_key"] < "k0005" else "refused")
    assert target.try_again().rows == 8


def test_who_has_lost_the_claim_over_a_locked_table_does_not_write_the_same_rows_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = Target(5, lambda row: None)

    def note(state: DeliveryState, *, refused: object, taken: object) -> bool:
        target.delivery.new_run()  # nothing is noted, so all are due as before
        return False

    monkeypatch.setattr(target.delivery, "note", note)
    asked = 0

    def is_over() -> bool:
        nonlocal asked
        asked += 1
        return asked > 10

    writer = TableWriter(target.table, COLUMNS)
    target.delivery.new_run()
    try_refused_again(target.delivery, writer, target.delivery.state, is_over=is_over)
    assert target.tried == 5


def test_who_has_lost_the_claim_deletes_again_who_was_erased_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = Target(2, lambda row: None)
    target.table.keeps_history = True
    target.table.rows["another"] = {"version": 9}
    erased = image("k0000", 12, status=Status.ERASED)

    def note(state: DeliveryState, *, refused: object = (), taken: object = ()) -> bool:
        target.delivery.put(erased)
        return not taken

    monkeypatch.setattr(target.delivery, "note", note)
    target.delivery.new_run()
    filler = TableFiller(
        *(target.delivery, target.table, COLUMNS, 500),
        is_rebuilt=False,
        is_over=lambda: False,
        clock=time.monotonic,
    )
    filler.prepare()
    filler.step()
    assert set(target.table.rows) == {"another", "k0000", "k0001"}
    assert target.table.forgotten == {erased.row_key: 12}
