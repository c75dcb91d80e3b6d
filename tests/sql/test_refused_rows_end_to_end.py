"""A run on real tables of which some rows are refused: it goes on, and loses no other answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.core.columns import COLUMNS, Column, ColumnKind, result_columns
from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.core.image_loader import ImageLoader
from airflow_provider_permitocr.core.models import (
    ImageRow,
    ListedImage,
    PermitRequest,
    PermitResponse,
    Previous,
    Record,
    RowKey,
    RunSummary,
)
from airflow_provider_permitocr.core.options import Batch, Pace, RunOptions
from airflow_provider_permitocr.core.pipeline import Pipeline
from airflow_provider_permitocr.core.ports import Call, Ports
from airflow_provider_permitocr.sql.batch_writer import write_batch
from airflow_provider_permitocr.sql.result_schema import result_table

POISON = "李优图"


class Images:
    """An image list in memory, with a carried column."""

    def __init__(self, rows: Sequence[ImageRow]) -> None:
        self._rows = {row.row_key: row for row in rows}

    def check(self) -> int:
        return len(self._rows)

    def carried(self) -> Sequence[Column]:
        return [Column("note", ColumnKind.TEXT, "carried"), Column("weight", ColumnKind.INTEGER, "carried")]

    def settled(self) -> int:
        return 0

    def pages(self) -> Iterator[Sequence[ListedImage]]:
        yield [ListedImage(row.image_key, row.card_side, row.updated_at) for row in self._rows.values()]

    def images(self, listed: Sequence[ListedImage]) -> Iterator[ImageRow]:
        return (self._rows[each.row_key] for each in listed)


class Answers:
    """The API: the number on each permit is its image's name, and a poisonous one has its name."""

    def prepare(self, request: PermitRequest) -> Call:
        number = str(request.image_url).rpartition("/")[2]
        fields = {"Number": number, "Name": POISON if "poison" in number else "x"}
        return lambda: PermitResponse(fields, "r")


class Table:
    """The result table as it is: nothing is created, and nothing known before."""

    def __init__(self, engine: sa.Engine, table: sa.Table) -> None:
        self._engine, self._table = engine, table
        self._columns: Sequence[Column] = COLUMNS

    def prepare(self, columns: Sequence[Column]) -> None:
        self._columns = columns

    def previous(self, row_keys: Sequence[RowKey]) -> Mapping[RowKey, Previous]:
        return {}

    def write(self, frame: Any) -> Mapping[int, str]:
        from airflow_provider_permitocr.core.frame import to_rows

        return write_batch(self._engine, self._table, to_rows(frame, self._columns))

    def finish(self) -> None:
        pass


@pytest.fixture
def run(database: sa.Engine) -> Callable[..., RunSummary]:
    """Run over some images into `permits`, which refuses a row by a CHECK."""
    table = result_table("permits", result_columns(Images([]).carried()))
    checked = sa.Table("permits", sa.MetaData(), *(column._copy() for column in table.columns))

    def make(rows: Sequence[ImageRow], check: str) -> RunSummary:
        checked.append_constraint(sa.CheckConstraint(check))
        checked.create(database, checkfirst=False)
        pipeline = Pipeline(
            Ports(Images(rows), ImageLoader(max_base64_bytes=1000), Answers(), Table(database, table)),
            RunOptions(Pace(100_000, 4), batch=Batch(rows=10)),
            run_id="r",
            log=logging.getLogger("test"),
            stop=threading.Event(),
        )
        return pipeline.run()

    return make


def image(key: str, updated_at: datetime | None = None, **carried: Any) -> ImageRow:
    defaults: Record = {"note": None, "weight": 1}
    return ImageRow(key, f"https://images.example/{key}", updated_at=updated_at, carried=defaults | carried)


def statuses(engine: sa.Engine) -> dict[str, tuple[str, str | None]]:
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT image_key, status, number FROM permits"))
        return {key: (status, number) for key, status, number in rows}


def test_run_goes_on_and_writes_all_answers_but_those_that_are_refused(
    database: sa.Engine, run: Callable[..., RunSummary], caplog: pytest.LogCaptureFixture
) -> None:
    fine = [f"{number:03}" for number in range(40)]
    extreme = datetime.min.replace(tzinfo=timezone(timedelta(hours=8)))
    summary = run(
        [
            *map(image, fine[:20]),
            image("poison 1"),
            image("too heavy", weight=2**63),
            image("too early", updated_at=extreme),
            image("dirty", note="a\x00b\ud800"),
            *map(image, fine[20:]),
            image("poison 2"),
        ],
        f"name <> '{POISON}'",
    )
    failed = dict.fromkeys(["poison 1", "poison 2", "too heavy", "too early"], ("failed", None))
    expected = {key: ("recognized", key) for key in [*fine, "dirty"]}
    assert statuses(database) == expected | failed
    assert summary.statuses == {"recognized": 41, "failed": 4}
    assert summary.error_codes == {"ResultRowRefused": 4}
    with database.connect() as connection:
        note = connection.execute(sa.text("SELECT note FROM permits WHERE image_key = 'dirty'")).scalar_one()
        assert note == "a\ufffdb\ufffd"
        words = connection.execute(
            sa.text("SELECT error_message FROM permits WHERE status = 'failed'")
        ).scalars()
        assert POISON not in " ".join(words) + caplog.text


def test_row_that_is_refused_in_any_form_ends_the_run_after_all_others_are_written(
    database: sa.Engine, run: Callable[..., RunSummary]
) -> None:
    fine = [f"{number:03}" for number in range(40)]
    with pytest.raises(TargetError, match="'never'") as caught:
        run([*map(image, fine[:5]), image("never"), *map(image, fine[5:])], "image_key <> 'never'")
    assert POISON not in str(caught.value)
    written = statuses(database)
    assert "never" not in written
    assert set(written.values()) == {("recognized", key) for key in written}
