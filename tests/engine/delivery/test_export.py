from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from airflow_provider_permitocr.engine.delivery.export import write_file
from airflow_provider_permitocr.engine.delivery.frame import to_rows
from airflow_provider_permitocr.engine.delivery.ports import RowsFile
from airflow_provider_permitocr.engine.ledger.deliveries import Delivered
from airflow_provider_permitocr.engine.ledger.ports import Ledger
from airflow_provider_permitocr.engine.ledger.standing import Standing
from airflow_provider_permitocr.engine.models import ListedImage, RowKey
from airflow_provider_permitocr.engine.ports import ImageSource
from airflow_provider_permitocr.errors import LedgerUnreachableError, RunStoppedError, TargetError
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.permit.status import Status

if TYPE_CHECKING:
    import pandas as pd

RECOGNIZED = Standing(Status.RECOGNIZED, answer_id="c1", attempt_status=Status.RECOGNIZED, tries=1)


def front(key: object) -> RowKey:
    return (str(key), CardSide.FRONT)


def recognized(row_key: RowKey) -> Delivered:
    return Delivered(row_key, RECOGNIZED, 1, {"number": f"n-{row_key[0]}"})


@dataclass
class FakeList:
    """An image list in memory."""

    row_keys: Sequence[RowKey]
    page_rows: int = 10

    def pages(self) -> Iterator[Sequence[ListedImage]]:
        for start in range(0, len(self.row_keys), self.page_rows):
            yield [ListedImage(*each) for each in self.row_keys[start : start + self.page_rows]]


@dataclass
class FakeLedger:
    """Images as the ledger has them, and how many were asked for at a time.

    :param fails: raised once, at the second look.
    """

    images: Mapping[RowKey, Delivered]
    fails: Exception | None = None
    asked: list[int] = field(default_factory=list)

    def delivered(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Delivered]:
        self.asked.append(len(row_keys))
        if self.fails and len(self.asked) == 2:
            raise self.fails
        return {key: self.images[key] for key in row_keys if key in self.images}


@dataclass
class FakeFile:
    """A file in memory; None until it is written whole."""

    written: list[dict[str, Any]] | None = None
    columns: Sequence[Column] = ()

    def prepare(self) -> None: ...

    def write(self, columns: Sequence[Column], frames: Iterable[pd.DataFrame]) -> None:
        self.written = [row for frame in frames for row in to_rows(frame, columns)]
        self.columns = columns


@dataclass
class Run:
    """What a run's end writes a file from."""

    listed: FakeList
    ledger: FakeLedger
    file: FakeFile = field(default_factory=FakeFile)
    stop: threading.Event = field(default_factory=threading.Event)

    def write(self, columns: Sequence[Column] = COLUMNS) -> None:
        whole_list, ledger = cast(ImageSource, self.listed), cast(Ledger, self.ledger)
        write_file(cast(RowsFile, self.file), whole_list, ledger, columns, stop=self.stop)

    @property
    def keys(self) -> list[object]:
        assert self.file.written is not None
        return [row["image_key"] for row in self.file.written]


def run_over(row_keys: Sequence[RowKey], fails: Exception | None = None) -> Run:
    return Run(FakeList(row_keys), FakeLedger({key: recognized(key) for key in row_keys}, fails))


def test_all_rows_of_the_list_are_written_in_its_order_a_bounded_number_at_a_time() -> None:
    run = run_over([front(key) for key in reversed(range(1300))])
    run.listed.page_rows = 1200

    run.write()

    assert run.keys == [str(key) for key in reversed(range(1300))]
    assert run.file.written
    assert run.file.written[0]["number"] == "n-1299"
    assert run.file.columns == COLUMNS
    assert sum(run.ledger.asked) == 1300
    assert max(run.ledger.asked) <= 500


def test_both_sides_of_one_key_are_two_rows() -> None:
    run = run_over([("a", CardSide.BACK), ("a", CardSide.FRONT)])
    run.write()
    assert run.file.written
    assert [(row["image_key"], row["card_side"]) for row in run.file.written] == [
        ("a", "BACK"),
        ("a", "FRONT"),
    ]


def test_what_stands_nowhere_is_left_out() -> None:
    known = [front("a"), front("held"), front("b")]
    run = run_over(known)
    run.ledger.images = {**run.ledger.images, front("held"): Delivered(front("held"), Standing(), 1)}
    run.listed.row_keys = [*known, front("listed after the run")]

    run.write()

    assert run.keys == ["a", "b"]


def test_a_file_that_would_lack_an_answer_is_not_written() -> None:
    run = run_over([front("a")])
    run.ledger.images = {front("a"): Delivered(front("a"), RECOGNIZED, 1, None)}

    with pytest.raises(TargetError, match="the answers of 1 of its images are gone from the ledger"):
        run.write()

    assert run.file.written is None


def test_copied_columns_are_in_the_file() -> None:
    standing = Standing(Status.FAILED, attempt_status=Status.FAILED, carried={"branch": "北"})
    run = run_over([front("a")])
    run.ledger.images = {front("a"): Delivered(front("a"), standing, 1)}

    run.write((*COLUMNS, Column("branch", ColumnKind.TEXT, "carried")))

    assert run.file.written
    assert run.file.written[0]["branch"] == "北"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ColumnKind.FLOAT, "secret-word"),
        (ColumnKind.INTEGER, 2**70),
        (ColumnKind.DATE, "secret-word"),
        (ColumnKind.BOOLEAN, "secret"),
        (ColumnKind.TIMESTAMP, "secret-word"),
    ],
)
def test_a_copied_value_that_its_column_cannot_hold_is_reported_by_its_column(
    kind: ColumnKind, value: Any
) -> None:
    run = run_over([front("a"), front("b")])
    standing = Standing(Status.FAILED, attempt_status=Status.FAILED, carried={"weight": value})
    run.ledger.images = {**run.ledger.images, front("b"): Delivered(front("b"), standing, 1)}

    with pytest.raises(TargetError, match=f"column 'weight', of kind {kind.value}; if you copy it") as caught:
        run.write((*COLUMNS, Column("weight", kind, "carried")))

    assert str(value) not in str(caught.value)
    assert caught.value.__suppress_context__
    assert run.file.written is None


def test_an_empty_list_makes_a_file_without_rows() -> None:
    run = run_over([])
    run.write()
    assert run.file.written == []


def test_a_run_that_is_asked_to_stop_writes_no_file() -> None:
    run = run_over([front(key) for key in range(30)])
    run.stop.set()
    with pytest.raises(RunStoppedError, match="before its file was complete"):
        run.write()
    assert run.file.written is None


def test_it_can_be_repeated_when_the_ledger_was_unreachable() -> None:
    run = run_over([front(key) for key in range(30)], fails=LedgerUnreachableError("gone"))
    with pytest.raises(LedgerUnreachableError):
        run.write()
    assert run.file.written is None

    run.write()

    assert run.keys == [str(key) for key in range(30)]
