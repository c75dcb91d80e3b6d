from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from airflow_provider_permitocr.core.columns import COLUMNS, Column
from airflow_provider_permitocr.core.errors import RunStoppedError, TargetError
from airflow_provider_permitocr.core.export import ExportedTarget
from airflow_provider_permitocr.core.models import Record, RowKey

if TYPE_CHECKING:
    from tests.core.conftest import Bench, FakeSource, FakeTarget


@dataclass
class FakeRows:
    """The result table's rows, as they are asked for."""

    target: FakeTarget
    asked: list[int] = field(default_factory=list)

    def read(self, row_keys: Sequence[RowKey], columns: Sequence[Column]) -> Mapping[RowKey, Record]:
        self.asked.append(len(row_keys))
        return {key: dict(self.target.rows[key]) for key in row_keys if key in self.target.rows}


@dataclass
class FakeExport:
    """An export in memory; None until it is written whole."""

    written: list[str] | None = None
    columns: Sequence[Column] = ()
    refuses: Exception | None = None

    def prepare(self) -> None:
        if self.refuses:
            raise self.refuses

    def write(self, columns: Sequence[Column], rows: Iterable[Sequence[Record]]) -> None:
        written = [str(row["image_key"]) for each in rows for row in each]
        self.written, self.columns = written, columns


@dataclass
class Exported:
    """An exported target over a list, with its pieces."""

    rows: FakeRows
    export: FakeExport
    target: ExportedTarget
    stop: threading.Event


def exported(bench: Bench, source: FakeSource) -> Exported:
    rows, export, stop = FakeRows(bench.target), FakeExport(), threading.Event()
    return Exported(rows, export, ExportedTarget(bench.target, source, rows, export, stop=stop), stop)


def test_all_rows_of_the_list_are_exported_in_its_order_a_bounded_number_at_a_time(
    bench: Bench, new_source: type[FakeSource]
) -> None:
    images = bench.images(1300)
    bench.run(images)
    made = exported(bench, new_source(reversed(images), page_rows=1200))

    made.target.prepare(COLUMNS)
    made.target.finish()

    assert made.export.written == [str(key) for key in reversed(range(1300))]
    assert made.export.columns == COLUMNS
    assert max(made.rows.asked) <= 500
    assert bench.target.finished == 2


def test_what_is_listed_but_not_in_the_table_is_left_out(bench: Bench, new_source: type[FakeSource]) -> None:
    bench.run(bench.images(3))
    made = exported(bench, new_source(bench.images(5)))
    made.target.prepare(COLUMNS)
    made.target.finish()
    assert made.export.written == ["0", "1", "2"]


def test_an_export_that_cannot_be_written_is_refused_before_the_table_is_made(
    bench: Bench, new_source: type[FakeSource]
) -> None:
    made = exported(bench, new_source([]))
    made.export.refuses = TargetError("no such directory")
    with pytest.raises(TargetError, match="no such directory"):
        made.target.prepare(COLUMNS[:3])
    assert bench.target.columns == COLUMNS


def test_a_run_that_is_asked_to_stop_writes_no_export(bench: Bench, new_source: type[FakeSource]) -> None:
    bench.run(bench.images(30))
    made = exported(bench, new_source(bench.images(30), page_rows=10))
    made.target.prepare(COLUMNS)
    made.stop.set()
    with pytest.raises(RunStoppedError, match="before its export was complete"):
        made.target.finish()
    assert made.export.written is None
