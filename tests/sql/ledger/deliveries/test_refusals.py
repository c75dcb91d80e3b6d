"""Rows that a target refuses are remembered, tried again once a run, and forgotten once they are taken."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import Attempt
from airflow_provider_permitocr.engine.ledger.deliveries import DeliveryState, Refusal
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.deliveries.refusals import refusals_by_target
from airflow_provider_permitocr.sql.ledger.deliveries.sql_delivery import SqlDelivery
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from tests.sql.ledger.ground import EACH_LEDGER, TARGET
from tests.sql.ledger.processes import TABLES, LedgerTime, Process, attempt

FRONT, BACK = CardSide.FRONT, CardSide.BACK
REASON = "CheckViolation"
#: The same list, delivered to two targets.
OF_TWO = {"name": "permits", "is_default_name": False, "targets": (TARGET, "lake:other")}


def delivering(process: Process, target: str = TARGET) -> SqlDelivery:
    """Have a process deliver."""
    delivery = process.ledger.delivery(target)
    assert delivery.claim() is not None
    return delivery


def refuse(delivery: SqlDelivery, *keys: str | RowKey, has_row: bool = False, reason: str = REASON) -> None:
    refused = [Refusal(key if isinstance(key, tuple) else (key, FRONT), reason, has_row) for key in keys]
    delivery.note(DeliveryState(1), refused=refused)


def begin(engine: sa.Engine, time: LedgerTime) -> SqlDelivery:
    """Begin another run, once the last one has ended."""
    time.pass_seconds(61)
    return delivering(Process(engine))


def keys_of(refusals: Sequence[Refusal]) -> list[str]:
    return [each.row_key[0] for each in refusals]


@pytest.mark.slow
@EACH_LEDGER
def test_refused_rows_come_back_to_the_next_run_and_not_to_this_one(
    database: sa.Engine, time: LedgerTime
) -> None:
    delivery = delivering(Process(database))
    refuse(delivery, "a", has_row=True)
    refuse(delivery, ("b", BACK), reason="NumericValueOutOfRange")
    assert (delivery.count_refusals(), delivery.refusals(10)) == (2, [])
    following = begin(database, time)
    assert following.count_refusals() == 2
    assert following.refusals(10) == [
        Refusal(("a", FRONT), REASON, True),
        Refusal(("b", BACK), "NumericValueOutOfRange", False),
    ]


@EACH_LEDGER
def test_rows_that_were_tried_longest_ago_come_first(database: sa.Engine, time: LedgerTime) -> None:
    delivery = delivering(Process(database))
    for key in ("c", "a", "b"):
        refuse(delivery, key)
        time.pass_seconds(1)
    following = begin(database, time)
    assert keys_of(following.refusals(2)) == ["c", "a"]
    assert keys_of(following.refusals(10)) == ["c", "a", "b"]


@pytest.mark.slow
@EACH_LEDGER
def test_each_run_tries_each_row_once(database: sa.Engine, time: LedgerTime) -> None:
    refuse(delivering(Process(database)), *(f"{number:02}" for number in range(25)))
    for reason in ("still", "still the same"):
        following = begin(database, time)
        seen: list[str] = []
        while some := keys_of(following.refusals(10)):
            time.pass_seconds(1)
            seen += some
            refuse(following, *some, reason=reason)
        assert seen == [f"{number:02}" for number in range(25)]
        assert following.count_refusals() == 25
    assert {each.reason for each in begin(database, time).refusals(99)} == {"still the same"}


@EACH_LEDGER
def test_rows_that_are_taken_are_forgotten_by_key_and_side(database: sa.Engine, time: LedgerTime) -> None:
    delivery = delivering(Process(database))
    both: list[RowKey] = [(f"{number:04}", side) for number in range(600) for side in CardSide]
    refuse(delivery, *both)
    taken = [*both[2:], ("0000", BACK), ("never refused", FRONT)]
    delivery.note(DeliveryState(1), taken=taken)
    assert delivery.count_refusals() == 1
    assert [each.row_key for each in begin(database, time).refusals(9)] == [("0000", FRONT)]


@EACH_LEDGER
def test_a_row_that_is_taken_and_refused_in_one_batch_is_refused(
    database: sa.Engine, time: LedgerTime
) -> None:
    """As two recognitions of one image are, in a history."""
    delivery = delivering(Process(database))
    refused = [Refusal(("a", FRONT), reason, False) for reason in ("first", "second")]
    delivery.note(DeliveryState(1), refused=refused, taken=[("a", FRONT)])
    assert begin(database, time).refusals(9) == refused[1:]


@EACH_LEDGER
def test_what_a_process_notes_that_no_longer_delivers_is_not_written(
    database: sa.Engine, time: LedgerTime
) -> None:
    slow = delivering(Process(database))
    refuse(slow, "a")
    other = begin(database, time)
    slow.note(DeliveryState(9), refused=[Refusal(("b", FRONT), REASON, False)], taken=[("a", FRONT)])
    assert keys_of(other.refusals(9)) == ["a"]
    state = other.claim()
    assert state is not None
    assert state.version == 1


@EACH_LEDGER
def test_each_target_refuses_for_itself(database: sa.Engine, time: LedgerTime) -> None:
    process = Process(database, list_options=OF_TWO)
    one, other = delivering(process), delivering(process, "lake:other")
    refuse(one, "a", "b")
    refuse(other, "a")
    one.note(DeliveryState(1), taken=[("a", FRONT)])
    assert (one.count_refusals(), other.count_refusals()) == (1, 1)
    with database.connect() as connection:
        assert refusals_by_target(OpenList(connection, TABLES, 1)) == [("lake:other", 1), (TARGET, 1)]
        assert refusals_by_target(OpenList(connection, TABLES, 2)) == []
    other.note(DeliveryState(1), taken=[("a", FRONT)])
    with database.connect() as connection:
        assert refusals_by_target(OpenList(connection, TABLES, 1)) == [(TARGET, 1)]


@EACH_LEDGER
def test_rows_until_a_version_are_those_that_a_target_has(database: sa.Engine, time: LedgerTime) -> None:
    process = Process(database, list_options=OF_TWO)
    delivery, other = delivering(process), delivering(process, "lake:other")
    tried = [Attempt(("a", side), Status.REJECTED) for side in CardSide]
    process.ledger.exchange([], [], tried)
    process.call("b")
    process.ledger.exchange([], [], [attempt("c", Status.RETRY)])
    process.ask("under way")
    versions = {each.row_key: each.version for each in delivery.changes(0, 99)}
    first, second, third = versions["a", FRONT], versions["b", FRONT], versions["c", FRONT]
    assert [delivery.rows_until(version) for version in (first - 1, first, second, third)] == [0, 2, 3, 4]
    # What has changed since has had a row since its first version.
    process.ledger.exchange([], [], [attempt("c", Status.REJECTED)])
    assert delivery.rows_until(third) == 4

    refuse(delivery, ("a", BACK), "c")
    refuse(delivery, "b", has_row=True)
    assert [delivery.rows_until(version) for version in (first, second, third, 99)] == [1, 2, 2, 2]
    assert other.rows_until(third) == 4
    delivery.note(DeliveryState(1), taken=[("c", FRONT)])
    assert delivery.rows_until(third) == 3


@pytest.mark.slow
@EACH_LEDGER
@pytest.mark.parametrize("reason", ["", "x" * 5_000, "中" * 100], ids=["none", "long", "chinese"])
def test_any_reason_is_kept(database: sa.Engine, time: LedgerTime, reason: str) -> None:
    refuse(delivering(Process(database)), "a", reason=reason)
    assert [each.reason for each in begin(database, time).refusals(9)] == [reason]
