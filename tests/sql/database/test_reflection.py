from __future__ import annotations

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.dialects.reflection import RelationKind
from tests.support.found_columns import columns


@pytest.fixture
def connection(database: sa.Engine) -> sa.Connection:
    table = sa.Table(
        "lake images",
        sa.MetaData(),
        sa.Column("image id", sa.String(20), primary_key=True),
        sa.Column('si"de', sa.String(8), nullable=False, server_default="FRONT"),
        sa.Column("size", sa.BigInteger),
        sa.Column("at", sa.DateTime(timezone=True)),
        sa.Column("day", sa.Date),
        sa.Column("is_new", sa.Boolean),
        sa.Column("score", sa.Double),
        sa.Column("price", sa.Numeric(10, 2), nullable=False),
        sa.Index("by_side", 'si"de', "size", unique=True),
        sa.Index("by_day", "day"),
    )
    table.create(database)
    connection = database.connect()
    quote = database.dialect.identifier_preparer.quote
    connection.exec_driver_sql(f"CREATE VIEW listed AS SELECT size FROM {quote('lake images')}")
    connection.commit()
    return connection


def test_columns_come_in_their_order_with_their_types(connection: sa.Connection) -> None:
    found = columns(connection, "lake images")
    assert found is not None
    assert list(found) == ["image id", 'si"de', "size", "at", "day", "is_new", "score", "price"]
    assert isinstance(found["image id"], sa.String)
    assert isinstance(found["size"], sa.Integer)
    assert isinstance(found["at"], sa.DateTime)
    assert isinstance(found["day"], sa.Date)
    assert isinstance(found["score"], sa.Float)
    assert isinstance(found["price"], sa.Numeric)
    assert list(columns(connection, "listed") or ()) == ["size"]
    assert columns(connection, "nowhere") is None
    connection.close()


def test_columns_that_a_row_must_name_are_known(connection: sa.Connection) -> None:
    needed = [
        each.name
        for each in database_of(connection).columns(connection, "lake images") or ()
        if not each.is_filled
    ]
    assert needed == ["image id", "price"]
    connection.close()


def test_tables_and_views_are_told_apart(connection: sa.Connection) -> None:
    assert database_of(connection).relation_kind(connection, "lake images") is RelationKind.TABLE
    assert database_of(connection).relation_kind(connection, "listed") is RelationKind.VIEW
    assert database_of(connection).relation_kind(connection, "nowhere") is None
    assert sorted(database_of(connection).relations(connection)) == ["lake images", "listed"]
    assert "size" in (database_of(connection).view_definition(connection, "listed") or "")
    connection.close()


def test_unique_keys_are_those_of_constraints_and_of_unique_indexes(connection: sa.Connection) -> None:
    assert database_of(connection).unique_keys(connection, "lake images") == {
        frozenset({"image id"}),
        frozenset({'si"de', "size"}),
    }
    connection.close()


@pytest.mark.parametrize("database", ["psycopg", "duckdb"], indirect=True)
def test_other_schemas_are_looked_at_only_where_they_are_named(database: sa.Engine) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA mart")
        connection.exec_driver_sql("CREATE TABLE mart.images (id int PRIMARY KEY)")
    with database.connect() as connection:
        assert columns(connection, "images") is None
        assert database_of(connection).relations(connection) == []
        assert list(columns(connection, "images", "mart") or ()) == ["id"]
        assert database_of(connection).relation_kind(connection, "images", "mart") is RelationKind.TABLE
        assert database_of(connection).unique_keys(connection, "images", "mart") == {frozenset({"id"})}
