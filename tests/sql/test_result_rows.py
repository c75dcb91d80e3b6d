from __future__ import annotations

from datetime import UTC, date, datetime

import sqlalchemy as sa

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.columns import COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.core.frame import to_frame
from airflow_provider_permitocr.core.models import Record
from airflow_provider_permitocr.sql.result_rows import SqlResultRows
from airflow_provider_permitocr.sql.result_schema import result_table
from airflow_provider_permitocr.sql.result_target import SqlResultTarget
from airflow_provider_permitocr.sql.tables import ResultTable

AT = datetime(2026, 5, 1, 12, 30, 15, 123456, tzinfo=UTC)
COLUMNS_CARRIED = (*COLUMNS, Column("weight", ColumnKind.FLOAT, "carried"))


def row(key: str, side: str = "FRONT", **values: object) -> Record:
    known: dict[str, object] = {
        "image_key": key,
        "card_side": side,
        "status": "recognized",
        "processed_at": AT,
    }
    return dict.fromkeys(column.name for column in COLUMNS_CARRIED) | known | values


def test_rows_are_read_as_they_were_written(database: sa.Engine) -> None:
    rows = [
        row("a", name="測試", number="08320271", birthday=date(1901, 2, 3), image_updated_at=AT, weight=0.1),
        row("a", "BACK", warn_photocopy=True, warn_recapture=False, image_bytes=2**40),
        row("b", tries=2),
    ]
    described = ResultTable("permits", "w")
    result_table("permits", COLUMNS_CARRIED).create(database)
    target = SqlResultTarget(database, described)
    target._columns, target._table = COLUMNS_CARRIED, result_table("permits", COLUMNS_CARRIED)
    target.write(to_frame(rows, COLUMNS_CARRIED))

    front, back = CardSide.FRONT, CardSide.BACK
    wanted = [("a", front), ("a", back), ("gone", front)]
    read = SqlResultRows(database, described).read(wanted, COLUMNS_CARRIED)

    assert dict(read) == {("a", front): rows[0], ("a", back): rows[1]}
    assert {type(value) for value in read["a", front].values()} <= {
        type(None),
        str,
        date,
        datetime,
        int,
        float,
    }


def test_more_keys_than_a_statement_takes_are_read(database: sa.Engine) -> None:
    table = result_table("permits")
    table.create(database)
    values = [{"image_key": f"{key:05}", "card_side": "FRONT", "status": "failed"} for key in range(2500)]
    with database.begin() as connection:
        connection.execute(table.insert(), values)
    keys = [(f"{key:05}", CardSide.FRONT) for key in range(2500)]
    assert set(SqlResultRows(database, ResultTable("permits", "w")).read(keys, COLUMNS)) == set(keys)


def test_of_several_rows_of_one_key_the_latest_is_read(sqlite_engine: sa.Engine) -> None:
    # As a table in append mode has them.
    table = sa.Table(
        "permits",
        sa.MetaData(),
        *(sa.Column(each.name, each.type) for each in result_table("permits").columns),
    )
    table.create(sqlite_engine)
    with sqlite_engine.begin() as connection:
        for number in (2, 3, 1):
            at = datetime(2026, 5, number, tzinfo=UTC)
            values = {"image_key": "a", "card_side": "FRONT", "status": "failed", "processed_at": at}
            connection.execute(table.insert(), values | {"number": str(number)})
    key = ("a", CardSide.FRONT)
    read = SqlResultRows(sqlite_engine, ResultTable("permits", "w")).read([key], COLUMNS)
    assert read[key]["number"] == "3"
