"""Images that runs could not settle come back by key, page by page, to the runs that follow."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import Attempt
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.options.lists.redo import Redo
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.runs.leftovers import unsettled
from tests.sql.ledger.ground import EACH_LEDGER
from tests.sql.ledger.processes import NOON, TABLES, LedgerTime, Process, a_run, attempt

FRONT, BACK = CardSide.FRONT, CardSide.BACK


def retry(process: Process, *row_keys: RowKey) -> None:
    """Give images up for now."""
    tried = [Attempt(key, Status.RETRY, error_code="ImageNotFound") for key in row_keys]
    process.ledger.exchange([], [], tried)


def paged(process: Process, most: int, *, only_redone: bool = False) -> list[list[RowKey]]:
    """Read all pages, as a run does."""
    pages: list[list[RowKey]] = []
    last: RowKey | None = None
    while page := process.ledger.unsettled(last, most, only_redone=only_redone):
        pages.append(list(page))
        last = page[-1]
    return pages


def keys_of(process: Process, *, only_redone: bool = False) -> list[str]:
    return [key for key, _ in process.ledger.unsettled(None, 100, only_redone=only_redone)]


@pytest.mark.slow
@EACH_LEDGER
@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_each_image_comes_once_and_in_order_whatever_the_page(
    database: sa.Engine, time: LedgerTime, most: int
) -> None:
    keys = [(key, side) for key in ("", "01", "1", "Z", "a", "a ", "ä", "中", "'") for side in (BACK, FRONT)]
    retry(Process(database), *keys[::-1])
    time.pass_seconds(1)
    pages = paged(Process(database), most)
    found = [key for page in pages for key in page]
    assert sorted(found) == sorted(keys)
    assert [len(page) for page in pages[:-1]] == [most] * (len(pages) - 1)
    # Both sides of a key come one after the other, the back first.
    assert found[::2] == [(key, BACK) for key, _ in found[1::2]]


@EACH_LEDGER
def test_only_one_side_may_be_unsettled(database: sa.Engine, time: LedgerTime) -> None:
    process = Process(database)
    process.call("a", side=BACK)
    process.call("b")
    retry(process, ("a", FRONT), ("b", BACK), ("c", FRONT))
    time.pass_seconds(1)
    pages = paged(Process(database), 1)
    assert pages == [[("a", FRONT)], [("b", BACK)], [("c", FRONT)]]


@EACH_LEDGER
def test_images_that_are_settled_gone_or_under_way_do_not_come(database: sa.Engine, time: LedgerTime) -> None:
    process = Process(database)
    for key, status in (("rejected", Status.REJECTED), ("failed", Status.FAILED), ("retry", Status.RETRY)):
        process.ledger.exchange([], [], [attempt(key, status)])
    process.ledger.exchange([], [], [attempt("gone", Status.RETRY)])
    process.ledger.exchange([], [], [attempt("gone", Status.GONE)])
    process.call("recognized")
    process.ask("under way")
    time.pass_seconds(1)
    assert keys_of(Process(database)) == ["retry"]


@EACH_LEDGER
def test_what_this_run_has_tried_itself_does_not_come_to_it_again(
    database: sa.Engine, time: LedgerTime
) -> None:
    retry(Process(database), ("a", FRONT), ("b", FRONT), ("c", FRONT))
    time.pass_seconds(1)
    process = Process(database, a_run("monday"))
    retry(process, ("b", FRONT), ("new", FRONT))
    process.call("a")
    assert keys_of(process) == ["c"]
    time.pass_seconds(1)
    again = Process(database, a_run("monday", try_number=2))
    assert keys_of(again) == ["b", "c", "new"]


@EACH_LEDGER
@pytest.mark.parametrize(
    ("before", "expected"), [(NOON, []), (NOON + timedelta(milliseconds=1), ["a"])], ids=["at", "after"]
)
def test_a_try_at_the_very_moment_a_run_begins_is_not_before_it(
    database: sa.Engine, time: LedgerTime, before: datetime, expected: list[str]
) -> None:
    retry(Process(database), ("a", FRONT))
    with database.connect() as connection:
        found = unsettled(
            OpenList(connection, TABLES, 1), before=before, after=None, most=9, only_redone=False
        )
    assert [key for key, _ in found] == expected


@EACH_LEDGER
def test_images_to_redo_come_as_well_and_alone_where_asked_for(database: sa.Engine, time: LedgerTime) -> None:
    process = Process(database)
    for key in ("a", "b", "c"):
        process.call(key)
    retry(process, ("d", FRONT))
    time.pass_seconds(1)
    following = Process(database)
    assert following.ledger.mark_redone(Redo(keys=["a", "c"])) == 2
    assert keys_of(following) == ["a", "c", "d"]
    assert keys_of(following, only_redone=True) == ["a", "c"]
    assert paged(following, 1, only_redone=True) == [[("a", FRONT)], [("c", FRONT)]]
    following.call("a")
    assert keys_of(following, only_redone=True) == ["c"]


@EACH_LEDGER
def test_images_of_another_list_do_not_come(database: sa.Engine, time: LedgerTime) -> None:
    other = {"name": "other", "is_default_name": False, "source_table": "others", "targets": ()}
    retry(Process(database, list_options=other), ("a", FRONT))
    time.pass_seconds(1)
    assert keys_of(Process(database)) == []
