from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_permitocr.engine.delivery import table_filler
from airflow_provider_permitocr.engine.delivery.delivery import Deliverer
from airflow_provider_permitocr.engine.ledger.deliveries import DeliveryState
from airflow_provider_permitocr.errors import PermitOcrError, TargetError, UnreachableError
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.permit.columns import COLUMNS, Record
from airflow_provider_permitocr.permit.status import Status
from tests.support.delivery_fakes import FakeDelivery, FakeResultTable, answered, image

if TYPE_CHECKING:
    from tests.engine.conftest import FakeClock

_LONG = 20.0


class Delivering(Deliverer):
    """A deliverer that is waited for."""

    def finish_within(self, patience_seconds: float) -> None:
        """Deliver all that is left."""
        self.finish()
        while not self.is_finished(patience_seconds):
            pass


NewDeliverer = Callable[..., Delivering]


@pytest.fixture
def deliverer(clock: FakeClock) -> Iterator[NewDeliverer]:
    """Make deliverers whose waiting takes no time; each is closed after the test."""
    made: list[Delivering] = []
    test = threading.current_thread()

    def wait(event: threading.Event, seconds: float) -> None:
        # Time passes by what delivery waits for, not by how often the test asks for its end.
        if not event.wait(0.001) and threading.current_thread() is not test:
            clock.sleep(seconds)

    def make(ledger: Any, target: Any, *, rows: int = 500, prepare: bool = True) -> Delivering:
        deliverer = Delivering(ledger, target, Batch(rows=rows), clock=clock, wait=wait)
        made.append(deliverer)
        if prepare:
            deliverer.prepare(COLUMNS)
        return deliverer

    yield make
    for each in made:
        each.close()


def unreachable(*_: Any) -> None:
    raise UnreachableError("writing rows to the result table 'permits' failed: it restarts")


def failing(*failures: bool) -> Callable[[object], None]:
    """Fail at some writes, in this order."""
    left = iter(failures)

    def fail(rows: object) -> None:
        if next(left):
            unreachable()

    return fail


def test_all_images_are_delivered_and_the_version_is_noted(deliverer: NewDeliverer) -> None:
    ledger = FakeDelivery(answered("b", 4), answered("a", 5))
    table = FakeResultTable()
    delivering = deliverer(ledger, table)
    delivering.finish_within(0)
    assert {key: row["name"] for key, row in table.rows.items()} == {"a": "name of a", "b": "name of b"}
    assert (ledger.version, delivering.delivered, ledger.is_claimed) == (5, 2, False)


def test_a_batch_is_sorted_by_key(deliverer: NewDeliverer) -> None:
    ledger = FakeDelivery(*(answered(key, version) for version, key in enumerate("cadb", 3)))
    table = FakeResultTable()
    deliverer(ledger, table).finish_within(0)
    assert table.batches == [["a", "b", "c", "d"]]


def test_batches_follow_each_other_by_version(deliverer: NewDeliverer) -> None:
    ledger = FakeDelivery(*(answered(str(number), 10 - number) for number in range(6)))
    table = FakeResultTable()
    deliverer(ledger, table, rows=2).finish_within(0)
    assert table.batches == [["4", "5"], ["2", "3"], ["0", "1"]]
    assert ledger.noted[-3:] == [6, 8, 10]


def test_a_table_that_wants_one_large_delivery_is_written_once(deliverer: NewDeliverer) -> None:
    ledger = FakeDelivery(*(answered(f"k{number:03}", number + 1) for number in range(60)))
    table = FakeResultTable()
    table.is_filled_at_end = True
    deliverer(ledger, table, rows=7).finish_within(0)
    assert [len(batch) for batch in table.batches] == [60]
    assert (ledger.version, len(table.rows)) == (60, 60)


def test_a_large_delivery_is_bounded_by_its_bytes(
    deliverer: NewDeliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_filler, "_LARGE_BYTES", 1_000_000)
    portrait: Record = {"name": "n", "number": "1", "profile": "p" * 100_000}
    ledger = FakeDelivery(*(image(f"k{number:03}", number + 1, fields=portrait) for number in range(30)))
    table = FakeResultTable()
    table.is_filled_at_end = True
    deliverer(ledger, table, rows=2).finish_within(0)
    assert [len(batch) for batch in table.batches] == [10, 10, 10]


def test_a_large_delivery_is_bounded_by_its_rows(
    deliverer: NewDeliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_filler, "_LARGE_ROWS", 8)
    ledger = FakeDelivery(*(answered(f"k{number:03}", number + 1) for number in range(20)))
    table = FakeResultTable()
    table.is_filled_at_end = True
    deliverer(ledger, table, rows=4).finish_within(0)
    assert [len(batch) for batch in table.batches] == [8, 8, 4]


def test_images_that_share_a_version_are_never_parted_by_it(deliverer: NewDeliverer) -> None:
    ledger = FakeDelivery(*(answered(str(number), 7) for number in range(5)), answered("last", 8))
    table = FakeResultTable()
    deliverer(ledger, table, rows=2).finish_within(0)
    assert sorted(table.rows) == ["0", "1", "2", "3", "4", "last"]
    assert 7 in ledger.noted


def test_nothing_is_written_where_nothing_has_changed(deliverer: NewDeliverer) -> None:
    ledger = FakeDelivery(answered("a", 5), delivered=5)
    table = FakeResultTable(is_new=False, version=5)
    deliverer(ledger, table).finish_within(0)
    assert (table.batches, ledger.noted) == ([], [])


def test_a_run_that_died_before_it_noted_its_rows_is_carried_on(deliverer: NewDeliverer) -> None:
    ledger, table = FakeDelivery(answered("a", 4), answered("b", 9)), FakeResultTable()

    def die(version: int) -> None:
        if version == 9:
            raise KeyboardInterrupt

    ledger.before_note = die
    with pytest.raises(KeyboardInterrupt):
        deliverer(ledger, table).finish_within(0)
    ledger.before_note = lambda version: None
    ledger.put(answered("b", 12))
    deliverer(ledger, table).finish_within(0)
    assert {key: row["version"] for key, row in table.rows.items()} == {"a": 4, "b": 12}


def test_a_batch_that_failed_is_delivered_again_in_the_same_order(deliverer: NewDeliverer) -> None:
    ledger = FakeDelivery(*(answered(str(number), number) for number in range(3, 9)))
    table = FakeResultTable()
    table.before_write = failing(False, True, True, False, False)
    deliverer(ledger, table, rows=2).finish_within(60)
    assert table.batches == [["3", "4"], ["5", "6"], ["7", "8"]]


def test_a_table_that_is_down_is_said_so_once_and_so_is_its_return(
    deliverer: NewDeliverer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    ledger, table = FakeDelivery(answered("a", 4)), FakeResultTable()
    table.before_write = failing(*[True] * 6, False)
    deliverer(ledger, table).finish_within(60)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "WARNING",
            "writing rows to the result table 'permits' failed: it restarts. Calls continue; the ledger"
            " keeps their answers, and they are delivered later",
        ),
        ("INFO", "The result table 'warehouse:permits' accepts rows again"),
    ]
    assert clock.sleeps == [0.5, 1, 2, 4, 5, 5]


def test_a_table_that_stays_down_fails_the_run_and_says_that_nothing_is_lost(
    deliverer: NewDeliverer, clock: FakeClock
) -> None:
    ledger, table = FakeDelivery(answered("a", 4)), FakeResultTable()
    table.before_write = unreachable
    began = clock()
    with pytest.raises(
        UnreachableError,
        match=r"it restarts\. Nothing is lost: the answers are in the ledger\. Clear the task to deliver them"
        " without a call$",
    ):
        deliverer(ledger, table).finish_within(30)
    assert clock() - began >= 30
    assert ledger.released.wait(_LONG)


def test_patience_is_counted_from_the_last_progress(deliverer: NewDeliverer, clock: FakeClock) -> None:
    ledger = FakeDelivery(*(answered(str(number), number) for number in range(3, 9)))
    table = FakeResultTable()
    table.before_write = failing(*[True, True, True, False] * 6)
    began = clock()
    deliverer(ledger, table, rows=1).finish_within(15)
    assert len(table.rows) == 6
    assert clock() - began > 15


def test_a_write_that_never_returns_is_given_up(deliverer: NewDeliverer, clock: FakeClock) -> None:
    ledger, table = FakeDelivery(answered("a", 4)), FakeResultTable()
    let_go = threading.Event()

    def hang(rows: object) -> None:
        clock.now += 90
        let_go.wait(_LONG)

    table.before_write = hang
    with pytest.raises(UnreachableError, match=r"accepted no rows .*end its session\. Nothing is lost"):
        deliverer(ledger, table).finish_within(0)
    let_go.set()


def test_a_table_that_refuses_the_batch_as_such_ends_delivery(deliverer: NewDeliverer) -> None:
    def disappear(rows: object) -> None:
        raise PermitOcrError("there is no table 'permits'")

    ledger, table = FakeDelivery(answered("a", 4)), FakeResultTable()
    table.before_write = disappear
    delivering = deliverer(ledger, table)
    with pytest.raises(PermitOcrError, match=r"no table 'permits'\. Nothing is lost"):
        delivering.finish_within(60)
    with pytest.raises(PermitOcrError, match="no table 'permits'"):
        delivering.raise_if_failed()
    assert (ledger.version, ledger.is_claimed) == (3, False)


def test_a_new_table_is_filled_again_with_what_was_delivered_before(
    deliverer: NewDeliverer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    ledger = FakeDelivery(answered("a", 4), answered("b", 9), delivered=9)
    table = FakeResultTable()
    deliverer(ledger, table).finish_within(0)
    assert sorted(table.rows) == ["a", "b"]
    assert "is new or empty; it is filled again from the ledger" in caplog.text


def test_a_table_that_is_emptied_after_it_was_looked_at_is_filled_again(deliverer: NewDeliverer) -> None:
    ledger = FakeDelivery(answered("a", 4), answered("b", 5), delivered=4)
    table = FakeResultTable()
    table.rows["a"] = {"version": 4}
    delivering = deliverer(ledger, table)
    table.rows.clear()
    delivering.finish_within(0)
    assert (sorted(table.rows), ledger.version) == (["a", "b"], 5)


def test_a_table_is_left_alone_where_nothing_is_to_be_delivered(deliverer: NewDeliverer) -> None:
    ledger = FakeDelivery(answered("a", 4), delivered=4)
    table = FakeResultTable(is_new=False, version=4)
    delivering = deliverer(ledger, table)
    table.is_empty = unreachable  # type: ignore[method-assign,assignment]
    delivering.finish_within(0)


def test_a_table_that_another_ledger_fills_meanwhile_is_refused(deliverer: NewDeliverer) -> None:
    ledger, table = FakeDelivery(answered("a", 4)), FakeResultTable()
    delivering = deliverer(ledger, table)
    table.rows["a"] = {"version": 900}
    with pytest.raises(TargetError, match="never delivered"):
        delivering.finish_within(0)
    assert table.batches == []


def test_filling_again_is_carried_on_where_it_ended(deliverer: NewDeliverer) -> None:
    ledger = FakeDelivery(*(answered(str(number), number) for number in range(3, 9)), delivered=9)
    table = FakeResultTable()
    writes: list[int] = []

    def die_at_the_second(rows: object) -> None:
        writes.append(1)
        if len(writes) == 2:
            raise KeyboardInterrupt

    table.before_write = die_at_the_second
    with pytest.raises(KeyboardInterrupt):
        deliverer(ledger, table, rows=2).finish_within(0)
    deliverer(ledger, table, rows=2).finish_within(0)
    assert table.batches == [["3", "4"], ["5", "6"], ["7", "8"]]


def test_a_table_ahead_of_its_ledger_is_refused(deliverer: NewDeliverer) -> None:
    ledger = FakeDelivery(answered("a", 4), delivered=4)
    table = FakeResultTable(is_new=False, version=1000)
    with pytest.raises(TargetError, match=r"ahead of its ledger: .* version 1,000, .*permitocr adopt DAG"):
        deliverer(ledger, table)
    assert not ledger.is_claimed


@pytest.mark.parametrize("version", [None, 7])
def test_a_table_with_rows_from_elsewhere_is_refused(deliverer: NewDeliverer, version: int | None) -> None:
    ledger = FakeDelivery(answered("a", 7))
    table = FakeResultTable(is_new=False, version=version)
    with pytest.raises(TargetError, match=r"rows that this ledger never delivered\. .*permitocr adopt DAG"):
        deliverer(ledger, table)
    assert table.batches == []


@pytest.mark.parametrize(
    ("delivered", "version"), [(9, 9), (9, None), (9, 4), (2000, 1000)],
    ids=["as delivered", "older than the ledger", "behind", "adopted"],
)  # fmt: skip
def test_a_table_that_the_ledger_knows_is_taken(
    deliverer: NewDeliverer, delivered: int, version: int | None
) -> None:
    ledger = FakeDelivery(answered("a", 9), delivered=delivered)
    deliverer(ledger, FakeResultTable(is_new=False, version=version)).finish_within(0)
    assert ledger.noted == []


def test_another_run_that_delivers_is_left_to_it(deliverer: NewDeliverer) -> None:
    ledger, table = FakeDelivery(answered("a", 4)), FakeResultTable()
    ledger.held = lambda: True
    delivering = deliverer(ledger, table)
    delivering.start()
    delivering.close()
    assert table.batches == []


def test_the_end_waits_for_another_run_until_its_claim_is_over_however_short_patience_is(
    deliverer: NewDeliverer, clock: FakeClock
) -> None:
    ledger, table = FakeDelivery(answered("a", 4)), FakeResultTable()
    lapses_at = clock() + 60
    ledger.held = lambda: clock() < lapses_at
    deliverer(ledger, table).finish_within(1)
    assert list(table.rows) == ["a"]
    assert clock() >= lapses_at


def test_what_another_run_has_delivered_meanwhile_is_not_delivered_again(
    deliverer: NewDeliverer, clock: FakeClock
) -> None:
    ledger, table = FakeDelivery(answered("a", 4)), FakeResultTable()
    over_at = clock() + 30

    def deliver_elsewhere() -> bool:
        if clock() < over_at:
            return True
        table.rows.setdefault("a", {"version": 4})
        ledger.state = DeliveryState(4, 1, 4)
        return False

    ledger.held = deliver_elsewhere
    deliverer(ledger, table).finish_within(1)
    assert (table.batches, ledger.noted) == ([], [])


def test_rows_from_elsewhere_are_refused_by_the_turn_that_first_sees_them(
    deliverer: NewDeliverer, clock: FakeClock
) -> None:
    ledger, table = FakeDelivery(answered("a", 4)), FakeResultTable(is_new=False, version=7)
    over_at = clock() + 30
    ledger.held = lambda: clock() < over_at
    with pytest.raises(TargetError, match="never delivered"):
        deliverer(ledger, table).finish_within(1)
    assert table.batches == []


def test_a_run_that_is_told_to_stop_delivers_nothing_more(deliverer: NewDeliverer) -> None:
    ledger = FakeDelivery(*(answered(str(number), number) for number in range(3, 9)))
    table = FakeResultTable()
    writing, let_go = threading.Event(), threading.Event()

    def linger(rows: object) -> None:
        writing.set()
        let_go.wait(_LONG)

    table.before_write = linger
    delivering = deliverer(ledger, table, rows=2)
    delivering.start()
    assert writing.wait(_LONG)
    stopping = threading.Thread(target=delivering.close)
    stopping.start()
    let_go.set()
    stopping.join()
    assert table.batches in ([], [["3", "4"]])


def test_a_full_batch_is_delivered_at_once(clock: FakeClock) -> None:
    ledger, table = FakeDelivery(), FakeResultTable()
    written, waiting = threading.Event(), threading.Event()
    table.before_write = lambda rows: written.set()

    def wait(event: threading.Event, seconds: float) -> None:
        waiting.set()
        event.wait(_LONG)

    delivering = Deliverer(ledger, table, Batch(rows=3, seconds=3600), clock=clock, wait=wait)
    delivering.prepare(COLUMNS)
    delivering.start()
    assert waiting.wait(_LONG)
    ledger.put(*(answered(str(number), 5) for number in range(3)))
    delivering.notice(2)
    assert not written.is_set()
    delivering.notice(1)
    assert written.wait(_LONG)
    delivering.close()


def test_an_answer_waits_no_longer_than_the_seconds_asked_for(clock: FakeClock) -> None:
    ledger, table = FakeDelivery(), FakeResultTable()
    waits: list[float] = []
    both = threading.Event()

    def wait(event: threading.Event, seconds: float) -> None:
        waits.append(seconds)
        ledger.put(answered(str(len(waits)), 2 + len(waits)))
        if len(waits) > 2:
            both.set()
            event.wait(_LONG)

    delivering = Deliverer(ledger, table, Batch(seconds=4), clock=clock, wait=wait)
    delivering.prepare(COLUMNS)
    delivering.start()
    assert both.wait(_LONG)
    assert (waits, table.batches) == ([4, 4, 4], [["1"], ["2"]])
    delivering.close()


def test_an_erased_answer_stays_in_the_table(deliverer: NewDeliverer) -> None:
    ledger, table = FakeDelivery(answered("a", 4)), FakeResultTable()
    deliverer(ledger, table).finish_within(0)
    ledger.put(image("a", 8, attempt_status=Status.RETRY, attempt_code="NoSuchFile"), answered("b", 9))
    deliverer(ledger, table).finish_within(0)
    row = table.rows["a"]
    assert (row["status"], row["name"], row["attempt_status"], row["version"]) == (
        *("recognized", "name of a", "retry", 8),
    )
    assert table.rows["b"]["name"] == "name of b"


def test_a_verdict_clears_the_answer_that_it_replaces(deliverer: NewDeliverer) -> None:
    ledger, table = FakeDelivery(answered("a", 4)), FakeResultTable()
    deliverer(ledger, table).finish_within(0)
    ledger.put(image("a", 8, status=Status.FAILED, error_code="FailedOperation.NoPermit"))
    deliverer(ledger, table).finish_within(0)
    assert (table.rows["a"]["status"], table.rows["a"]["name"]) == ("failed", None)
