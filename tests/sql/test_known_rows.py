"""What the result table says of rows that a run asks about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.models import Previous, Status
from airflow_provider_permitocr.sql.known_rows import known_rows
from airflow_provider_permitocr.sql.tables import ResultTable

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
FRONT = CardSide.FRONT


@pytest.fixture
def history(database: sa.Engine) -> sa.Engine:
    """A result table that keeps every recognition, with two of `a` and one of `A`."""
    with database.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE permits (image_key varchar(20), card_side varchar(9), status varchar(20),"
            " tries integer, image_updated_at timestamp NULL, processed_at timestamp NULL)"
        )
        table = sa.table(
            "permits",
            *(sa.column(name) for name in ("image_key", "card_side", "status", "tries")),
            sa.column("processed_at", sa.DateTime()),
        )
        for key, status, hours in (("a", "failed", 2), ("a", "retry", 1), ("A", "rejected", 3)):
            at = (NOON + timedelta(hours=hours)).replace(tzinfo=None)
            row = {
                "image_key": key,
                "card_side": "FRONT",
                "status": status,
                "tries": hours,
                "processed_at": at,
            }
            connection.execute(sa.insert(table).values(row))
    return database


def test_the_last_recognition_counts_where_all_are_kept(history: sa.Engine) -> None:
    described = ResultTable("permits", conn_id="lake", mode="append")
    with history.connect() as connection:
        known = known_rows(connection, described, [("a", FRONT), ("b", FRONT)])
    assert known["a", FRONT] == Previous(Status.FAILED, 2, NOON + timedelta(hours=2))
    assert ("b", FRONT) not in known


def test_many_rows_are_asked_for_in_parts(history: sa.Engine) -> None:
    asked = [(str(at), FRONT) for at in range(2_500)] + [("A", FRONT)]
    described = ResultTable("permits", conn_id="lake", mode="append")
    with history.connect() as connection:
        known = known_rows(connection, described, asked)
        assert known_rows(connection, described, []) == {}
    assert known["A", FRONT].status is Status.REJECTED
