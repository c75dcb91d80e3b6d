"""Image lists to read and frames to write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.engine.delivery.frame import to_frame
from airflow_provider_permitocr.engine.delivery.record import outcome_record
from airflow_provider_permitocr.engine.models import ImageRow, Outcome, RowKey
from airflow_provider_permitocr.engine.run.selection import is_wanted
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.options.lists.shard import Shard
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import Record
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.standing.standings import previous
from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource

Described = ImageTable | ImageQuery
#: To the microsecond on all databases, and with its zone where they keep one.
MOMENT = sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
LEDGER, LIST_ID = ledger_tables("permit_ocr"), 1
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
Rows = Iterable[dict[str, Any]]


@pytest.fixture
def fill() -> Callable[..., sa.Table]:
    """Make a table of these columns and fill it with these rows."""

    def make(
        engine: sa.Engine, name: str, columns: Sequence[sa.Column[Any]], rows: Rows, schema: str | None = None
    ) -> sa.Table:
        table = sa.Table(name, sa.MetaData(), *columns, schema=schema)
        filling = list(rows)
        with engine.begin() as connection:
            table.create(connection)
            if filling:
                connection.execute(sa.insert(table), filling)
        return table

    return make


@pytest.fixture
def image_list(database: sa.Engine, fill: Callable[..., sa.Table]) -> Callable[..., None]:
    """Make the table `permit_images` with text keys, URLs and sides; a change time where one is given."""

    def make(rows: Rows) -> None:
        columns: list[sa.Column[Any]] = [
            sa.Column("image_id", sa.Text),
            sa.Column("image_url", sa.Text),
            sa.Column("side", sa.Text),
            sa.Column("uploaded_at", MOMENT),
        ]
        empty = dict.fromkeys(column.name for column in columns)
        fill(database, "permit_images", columns, (empty | row for row in rows))

    return make


@pytest.fixture
def read() -> Callable[[sa.Engine, Described], list[ImageRow]]:
    """Check a list, then read all its pages and their images; the count has to agree."""

    def read_all(engine: sa.Engine, described: Described) -> list[ImageRow]:
        source = SqlImageSource(engine, described)
        counted = source.check()
        rows = [row for page in source.pages() for row in source.images(page)]
        assert len(rows) == counted
        return rows

    return read_all


@pytest.fixture
def frame_of() -> Callable[..., pd.DataFrame]:
    """Make a frame of one row per key, as a run does; fields and further columns by name."""

    def make(*image_keys: str, **changes: Any) -> pd.DataFrame:
        records: list[Record] = []
        for image_key in image_keys:
            side = CardSide(changes.get("card_side", CardSide.FRONT))
            row = ImageRow(image_key, None, side, changes.get("image_updated_at"))
            outcome = Outcome(row, Status.RECOGNIZED, fields={"name": "李优图"}, request_id="request-1")
            now = datetime(2026, 1, 31, 12, 30, 15, 123456, tzinfo=UTC)
            records.append(outcome_record(outcome, processed_at=now) | {"run_id": "run-1"} | changes)
        return to_frame(records)

    return make


@pytest.fixture
def known(database: sa.Engine) -> Callable[..., None]:
    """Put images of list 1 into the ledger `permit_ocr`, made where it is missing: their last attempts."""

    def put(*rows: dict[str, Any]) -> None:
        LEDGER.images.metadata.create_all(database)
        defaults = {"list_id": LIST_ID, "card_side": "FRONT", "attempt_status": "recognized", "tries": 1}
        defaults |= {"attempted_at": NOON, "attempt_updated_at": None, "answer_order": -1}
        filled = [defaults | row for row in rows]
        if filled:
            with database.begin() as connection:
                connection.execute(sa.insert(LEDGER.images), filled)

    return put


@pytest.fixture(scope="session")
def count_left_out() -> Callable[..., int]:
    """Count the rows that a database leaves out, after making sure that a run would want none of them."""

    def wanted(engine: sa.Engine, source: SqlImageSource) -> tuple[list[RowKey], int]:
        rows = [row for page in source.pages() for row in page]
        with engine.connect() as connection:
            known = previous(OpenList(connection, LEDGER, LIST_ID), None, [row.row_key for row in rows])
        return [row.row_key for row in rows if is_wanted(row.updated_at, known.get(row.row_key))], len(rows)

    def count(engine: sa.Engine, described: Described, shard: Shard | None = None) -> int:
        plain = SqlImageSource(engine, described, shard=shard)
        source = SqlImageSource(engine, described, shard=shard, settled_in=lambda: (LEDGER, LIST_ID))
        listed = plain.check()
        assert source.check() == listed
        found, seen = wanted(engine, source)
        assert (found, listed) == wanted(engine, plain)
        assert plain.settled() == 0
        assert source.settled() == listed - seen
        # As a run does it: counted first, then read.
        assert wanted(engine, source) == (found, seen)
        return source.settled()

    return count
