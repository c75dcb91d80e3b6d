"""Columns of the list that go along into the result."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.options.lists.image_list import Carry, ImageQuery, ImageTable
from airflow_provider_permitocr.permit.columns import ColumnKind
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource

Fill = Callable[..., sa.Table]

NAMES: dict[str, Any] = {"conn_id": "lake", "key": "id", "image": "url"}
MOMENT = datetime(2026, 1, 31, 23, 30, 15, 123456)


@pytest.fixture
def carry(database: sa.Engine, fill: Fill) -> Callable[..., tuple[ColumnKind, Any]]:
    """Put one value into a list, let it go along, and return its kind and value; or refuse it."""

    def go(column: Any, value: Any, kind: str | None = None, through_query: bool = False) -> tuple[Any, Any]:
        columns = [sa.Column("id", sa.String(9)), sa.Column("url", sa.Text)]
        listed = [*columns, sa.Column("x%y:z", column)]
        rows = [{"id": "a", "url": "u", "x%y:z": value}]
        fill(database, "images", listed, rows)
        described: Any = ImageTable("images", **NAMES, carry_columns=[Carry("x%y:z", name="x", kind=kind)])
        if through_query:
            carried = [Carry("x", kind=kind)]
            quoted = database.dialect.identifier_preparer.quote("x%y:z").replace(":", "\\:")
            if quoted.count("%") == 2:
                quoted = quoted.replace("%%", "%")
            sql = f"SELECT id, url, {quoted} AS x FROM images"
            described = ImageQuery(sql, **NAMES, carry_columns=carried)
        source = SqlImageSource(database, described)
        assert source.check() == 1
        (kept,) = source.carried()
        assert kept.name == "x"
        ((row,),) = [list(source.images(page)) for page in source.pages()]
        return kept.kind, row.carried["x"]

    return go


@pytest.mark.parametrize(
    ("column", "value", "kind", "is_read"),
    [
        (sa.String(9), "中", ColumnKind.TEXT, "中"),
        (sa.Text(), "中", ColumnKind.LONG_TEXT, "中"),
        (sa.BigInteger(), 2**62, ColumnKind.INTEGER, 2**62),
        (sa.Numeric(9, 2), Decimal("12.50"), ColumnKind.TEXT, "12.50"),
        (sa.Double(), 0.1, ColumnKind.FLOAT, 0.1),
        (sa.Boolean(), True, ColumnKind.BOOLEAN, True),
        (sa.Date(), date(2026, 1, 31), ColumnKind.DATE, date(2026, 1, 31)),
        (
            sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb"),
            MOMENT,
            ColumnKind.TIMESTAMP,
            MOMENT.replace(tzinfo=UTC),
        ),
        (sa.LargeBinary(), b"\x00\xfe", ColumnKind.LONG_TEXT, "00fe"),
        (sa.Integer(), None, ColumnKind.INTEGER, None),
    ],
    ids=["varchar", "text", "bigint", "numeric", "double", "boolean", "date", "timestamp", "bytes", "null"],
)
@pytest.mark.filterwarnings("ignore:Dialect sqlite.*does .not. support Decimal")
def test_kind_is_what_the_table_says(
    database: sa.Engine, carry: Callable[..., Any], column: Any, value: Any, kind: ColumnKind, is_read: Any
) -> None:
    found, read = carry(column, value)
    if database.dialect.name == "duckdb" and kind is ColumnKind.TEXT and isinstance(value, str):
        kind = ColumnKind.LONG_TEXT  # DuckDB forgets how long a text may be
    if database.dialect.name == "sqlite" and isinstance(value, Decimal):
        is_read = "12.5"
    assert (found, read) == (kind, is_read)


def test_uuid_goes_along_as_text(carry: Callable[..., Any]) -> None:
    value = uuid.UUID(int=1)
    _, read = carry(sa.Uuid(), value)
    assert read.replace("-", "") == value.hex


@pytest.mark.parametrize(
    ("column", "value", "kind"),
    [
        (sa.BigInteger(), 7, ColumnKind.INTEGER),
        (sa.Double(), 0.1, ColumnKind.FLOAT),
        (sa.Date(), date(2026, 1, 31), ColumnKind.DATE),
        (sa.String(9), "中", ColumnKind.LONG_TEXT),
    ],
    ids=["bigint", "double", "date", "text"],
)
def test_kind_is_what_the_driver_says_of_a_query_and_else_text(
    database: sa.Engine, carry: Callable[..., Any], column: Any, value: Any, kind: ColumnKind
) -> None:
    found, read = carry(column, value, through_query=True)
    assert (found, read) == (
        (ColumnKind.LONG_TEXT, str(value)) if database.dialect.name == "sqlite" else (kind, value)
    )


def test_time_with_a_zone_goes_along_as_utc(postgres_engine: sa.Engine, fill: Fill) -> None:
    at = MOMENT.replace(tzinfo=timezone(timedelta(hours=8)))
    columns = [
        sa.Column("id", sa.Text),
        sa.Column("url", sa.Text),
        sa.Column("at", sa.DateTime(timezone=True)),
    ]
    fill(postgres_engine, "images", columns, [{"id": "a", "url": "u", "at": at}])
    carried = [Carry("at", name="moment"), Carry("at", name="words", kind="text")]
    source = SqlImageSource(postgres_engine, ImageTable("images", **NAMES, carry_columns=carried))
    ((row,),) = [list(source.images(page)) for page in source.pages()]
    assert row.carried == {"moment": at, "words": "2026-01-31 15:30:15.123456+00:00"}
    assert isinstance(row.carried["moment"], datetime)
    assert row.carried["moment"].utcoffset() == timedelta()


@pytest.mark.parametrize(
    ("column", "value", "kind", "is_read"),
    [
        (sa.Numeric(9, 2), Decimal("12.50"), "float", 12.5),
        (sa.Numeric(9, 2), Decimal("12.00"), "integer", 12),
        (sa.String(9), "0012", "integer", 12),
        (sa.String(9), "true", "boolean", True),
        (sa.Integer(), 0, "boolean", False),
        (sa.String(20), "2026-01-31", "date", date(2026, 1, 31)),
        (sa.Integer(), 12, "text", "12"),
    ],
)
@pytest.mark.filterwarnings("ignore:Dialect sqlite.*does .not. support Decimal")
def test_kind_that_the_dag_says_is_what_values_become(
    carry: Callable[..., Any], column: Any, value: Any, kind: str, is_read: Any
) -> None:
    assert carry(column, value, kind) == (ColumnKind(kind), is_read)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("secret", "integer"),
        ("secret", "float"),
        ("secret", "date"),
        ("secret", "timestamp"),
        ("secret", "boolean"),
        ("9223372036854775808", "integer"),
    ],
)
def test_value_of_another_kind_stops_the_run_without_being_quoted(
    carry: Callable[..., Any], value: str, kind: str
) -> None:
    with pytest.raises(
        SourceError, match=rf"key 'a': the column 'x%y:z'.* is not of the kind {kind}"
    ) as caught:
        carry(sa.String(20), value, kind)
    assert value not in str(caught.value)


def test_missing_column_is_named(database: sa.Engine, fill: Fill) -> None:
    fill(database, "images", [sa.Column("id", sa.Text), sa.Column("url", sa.Text)], [])
    described = ImageTable("images", **NAMES, carry_columns=["branch"])
    with pytest.raises(SourceError, match=r"no column 'branch' \(carry_columns\)"):
        SqlImageSource(database, described).check()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_missing_on_every_database(carry: Callable[..., Any], value: float) -> None:
    assert carry(sa.String(9), str(value), "float") == (ColumnKind.FLOAT, None)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("engine", ["postgres_engine"])
def test_what_is_no_number_of_a_column_of_numbers_is_missing(
    request: pytest.FixtureRequest, fill: Fill, engine: str, value: str
) -> None:
    database = request.getfixturevalue(engine)
    columns = [sa.Column("id", sa.Text), sa.Column("url", sa.Text), sa.Column("x", sa.Double)]
    fill(database, "images", columns, [{"id": "a", "url": "u", "x": float(value)}])
    source = SqlImageSource(database, ImageTable("images", **NAMES, carry_columns=["x"]))
    ((row,),) = [list(source.images(page)) for page in source.pages()]
    assert row.carried == {"x": None}


@pytest.mark.parametrize(("bit", "is_read"), [("b'0'", False), ("b'1'", True), ("NULL", None)])
def test_one_bit_of_mariadb_is_a_boolean(mariadb_engine: sa.Engine, bit: str, is_read: bool | None) -> None:
    with mariadb_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE images (id varchar(9), url text, x bit(1), y bit(9))")
        connection.exec_driver_sql(f"INSERT INTO images VALUES ('a', 'u', {bit}, b'100000001')")
    source = SqlImageSource(mariadb_engine, ImageTable("images", **NAMES, carry_columns=["x", "y"]))
    assert [each.kind for each in source.carried()] == [ColumnKind.BOOLEAN, ColumnKind.LONG_TEXT]
    ((row,),) = [list(source.images(page)) for page in source.pages()]
    assert row.carried == {"x": is_read, "y": "0101"}
