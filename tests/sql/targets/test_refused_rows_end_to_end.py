"""A run on real tables that refuse some rows: it goes on, and the ledger keeps every answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.engine.ledger.journal import FileJournal
from airflow_provider_permitocr.engine.models import (
    ImageRow,
    ListedImage,
    PermitRequest,
    PermitResponse,
    RowKey,
)
from airflow_provider_permitocr.engine.ports import Call, Ports
from airflow_provider_permitocr.engine.run.pipeline import Pipeline
from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.engine.run.window import Window
from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.run import Batch, Pace, RunOptions
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.columns import Column, ColumnKind, Record, result_columns
from airflow_provider_permitocr.sql.ledger.lists.lists import ListIdentity
from airflow_provider_permitocr.sql.ledger.sql_ledger import LedgerRun, SqlLedger
from airflow_provider_permitocr.sql.targets.result_schema import result_table
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget

POISON = "李优图"
FINE = [f"{number:03}" for number in range(40)]


class Rows:
    """An image list in memory, with carried columns."""

    def __init__(self, rows: Sequence[ImageRow]) -> None:
        self._rows = {row.row_key: row for row in rows}

    def check(self) -> int:
        return len(self._rows)

    def key_type(self) -> str | None:
        return "text"

    def carried(self) -> Sequence[Column]:
        return [Column("note", ColumnKind.TEXT, "carried"), Column("weight", ColumnKind.INTEGER, "carried")]

    def settled(self) -> int:
        return 0

    def pages(self) -> Iterator[Sequence[ListedImage]]:
        yield [ListedImage(row.image_key, row.card_side, row.updated_at) for row in self._rows.values()]

    window, is_ordered, finds_all = Window(), False, True

    def holds(self, image_key: str) -> bool:
        return True

    def find(self, row_keys: Sequence[RowKey]) -> Sequence[ListedImage]:
        return [listed for page in self.pages() for listed in page if listed.row_key in row_keys]

    def within(self, windows: Sequence[Window], **_: Any) -> Rows:
        return self

    def images(self, listed: Sequence[ListedImage]) -> Iterator[ImageRow]:
        return (self._rows[each.row_key] for each in listed)


class Answers:
    """The API: the number on each permit is its image's name, and a poisonous one has its name."""

    def prepare(self, request: PermitRequest) -> Call:
        number = str(request.image_url).rpartition("/")[2]
        fields = {"Number": number, "Name": POISON if "poison" in number else "x"}
        return lambda: PermitResponse(fields, "r")


@pytest.fixture
def ledger_engine(tmp_path: Path, new_engine: Callable[..., sa.Engine]) -> sa.Engine:
    """A database of the ledger's own."""
    return new_engine(f"sqlite:///{tmp_path / 'ledger.db'}")


@pytest.fixture
def run(database: sa.Engine, ledger_engine: sa.Engine, tmp_path: Path) -> Callable[..., RunSummary]:
    """Run over some images into `permits`, made with a CHECK where one is given."""
    table = result_table("permits", result_columns(Rows([]).carried()))
    numbers = count(1)

    def make(rows: Sequence[ImageRow], check: str | None = None) -> RunSummary:
        if check:
            checked = sa.Table("permits", sa.MetaData(), *(column._copy() for column in table.columns))
            checked.append_constraint(sa.CheckConstraint(check))
            checked.create(database, checkfirst=False)
        run_id = f"run-{next(numbers)}"
        ledger_run = LedgerRun(
            ListIdentity("permits", False, "lake", "images", "image_id", None, ("lake:permits",)),
            "100",
            RunIdentity("permits", "recognize", run_id),
            Window(),
            Budget(),
        )
        ports = Ports(
            source=Rows(rows),
            request_builder=PermitRequestBuilder(max_base64_bytes=1000),
            client=Answers(),
            ledger=SqlLedger(ledger_engine, Ledger("permit_ocr", conn_id="ledger"), ledger_run),
            journal=FileJournal(tmp_path / "journal", session_id=run_id),
            tables={"lake:permits": SqlResultTarget(database, ResultTable("permits", conn_id="lake"))},
        )
        options = RunOptions(Pace(100_000, 4), batch=Batch(rows=10))
        return Pipeline(ports, options, log=logging.getLogger("test"), stop=threading.Event()).run()

    return make


def image(key: str, updated_at: datetime | None = None, **carried: Any) -> ImageRow:
    defaults: Record = {"note": None, "weight": 1}
    return ImageRow(key, f"https://images.example/{key}", updated_at=updated_at, carried=defaults | carried)


def statuses(engine: sa.Engine, table: str = "permits") -> dict[str, str]:
    with engine.connect() as connection:
        rows = connection.execute(sa.text(f"SELECT image_key, status FROM {table}"))
        return {row.image_key: row.status for row in rows}


def test_run_goes_on_and_writes_all_answers_but_those_that_are_refused(
    database: sa.Engine,
    ledger_engine: sa.Engine,
    run: Callable[..., RunSummary],
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused = ["poison 1", "too heavy", "poison 2"]
    images = [
        *map(image, FINE[:20]),
        image("poison 1"),
        image("too heavy", weight=2**63),
        *map(image, FINE[20:]),
        image("poison 2"),
    ]

    summary = run(images, f"name <> '{POISON}'")

    assert summary.statuses == {"recognized": 43}
    expected = dict.fromkeys(FINE, "recognized")
    assert statuses(database) == expected | dict.fromkeys(refused, "failed")
    assert statuses(ledger_engine, "permit_ocr_images") == expected | dict.fromkeys(refused, "recognized")
    with database.connect() as connection:
        said = connection.execute(
            sa.text("SELECT error_code, error_message, number FROM permits WHERE status = 'failed'")
        ).all()
    assert {(code, number) for code, _, number in said} == {("ResultRowRefused", None)}
    assert POISON not in " ".join(words for _, words, _ in said) + caplog.text
    assert run(images).calls == 0


@pytest.mark.slow
def test_row_that_is_refused_in_any_form_is_remembered_and_its_answer_is_kept(
    database: sa.Engine, ledger_engine: sa.Engine, run: Callable[..., RunSummary]
) -> None:
    images = [*map(image, FINE[:5]), image("never"), *map(image, FINE[5:])]

    first, again = run(images, "image_key <> 'never'"), run(images)

    assert (first.refused, again.refused, again.calls) == (1, 1, 0)
    assert statuses(database) == dict.fromkeys(FINE, "recognized")
    assert statuses(ledger_engine, "permit_ocr_images")["never"] == "recognized"


@pytest.mark.slow
def test_rows_are_delivered_without_a_call_once_the_constraint_is_mended(
    database: sa.Engine, run: Callable[..., RunSummary]
) -> None:
    """The table is made anew without its CHECK, with the rows that it had: not every database drops one."""
    images = [*map(image, FINE), *(image(f"poison {number}") for number in range(5))]
    run(images, f"name <> '{POISON}'")
    assert list(statuses(database).values()).count("failed") == 5
    table = result_table("permits", result_columns(Rows([]).carried()))
    with database.begin() as connection:
        rows = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
        connection.execute(sa.text("DROP TABLE permits"))
        table.create(connection)
        connection.execute(sa.insert(table), rows)

    mended = run(images)

    assert (mended.calls, mended.refused) == (0, 0)
    assert set(statuses(database).values()) == {"recognized"}
    with database.connect() as connection:
        told = connection.execute(sa.text(f"SELECT count(*) FROM permits WHERE name = '{POISON}'"))
        assert told.scalar_one() == 5


@pytest.mark.slow
def test_table_that_refuses_every_row_is_filled_without_a_call_once_it_takes_them(
    database: sa.Engine, run: Callable[..., RunSummary]
) -> None:
    images = [*map(image, FINE)]
    with pytest.raises(TargetError, match="refuse"):
        run(images, "name = 'nobody'")
    with database.begin() as connection:
        connection.execute(sa.text("DROP TABLE permits"))

    summary = run(images)

    assert statuses(database) == dict.fromkeys(FINE, "recognized")
    assert summary.calls + summary.skipped == len(FINE)
    assert summary.skipped > 0


@pytest.mark.slow
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_key_that_only_the_table_cannot_hold_is_its_refused_row_and_is_quoted_nowhere(
    ledger_engine: sa.Engine,
    database: sa.Engine,
    run: Callable[..., RunSummary],
    caplog: pytest.LogCaptureFixture,
) -> None:
    long = "key" * 200
    images = [*map(image, FINE[:5]), image(long)]

    with caplog.at_level(logging.DEBUG):
        first, again = run(images), run(images)

    assert (first.refused, again.refused, again.calls) == (1, 1, 0)
    assert statuses(database) == dict.fromkeys(FINE[:5], "recognized")
    assert statuses(ledger_engine, "permit_ocr_images")[long] == "recognized"
    with ledger_engine.connect() as connection:
        (reason,) = connection.execute(sa.text("SELECT reason FROM permit_ocr_refused")).scalars()
    assert reason == "the table cannot hold it: image_key has more than 512 characters"
    assert long not in caplog.text
