"""A database file that is full: its rows stay in the ledger, and are delivered once there is room."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.delivery.delivery import Deliverer
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.sql.database.failures import DatabaseError
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from tests.support.delivery_fakes import FakeDelivery, image

pytestmark = pytest.mark.slow


def test_full_sqlite_file_gets_all_rows_once_there_is_room(sqlite_engine: sa.Engine) -> None:
    pages = [40]

    @sa.event.listens_for(sqlite_engine, "connect")
    def limit(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages[0]}")

    numbers = [f"{number:08}" for number in range(50)]
    ledger = FakeDelivery(
        *(
            image(number, version, fields={"number": number, "profile": "x" * 10_000})
            for version, number in enumerate(numbers, 3)
        )
    )

    def deliver() -> int:
        target = SqlResultTarget(sqlite_engine, ResultTable("permits", conn_id="warehouse"))
        deliverer = Deliverer(ledger, target, Batch(rows=5))
        deliverer.prepare(COLUMNS)
        try:
            deliverer.finish()
            while not deliverer.is_finished(0):
                pass
        finally:
            deliverer.close()
        return deliverer.delivered

    with pytest.raises(DatabaseError, match=r"full\. Nothing is lost: the answers are in the ledger"):
        deliver()
    pages[0] = 100_000
    sqlite_engine.dispose()
    assert 0 < deliver() < 50
    with sqlite_engine.connect() as connection:
        found = connection.execute(sa.text("SELECT number FROM permits ORDER BY number")).scalars().all()
    assert found == numbers
