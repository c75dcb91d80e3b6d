"""A database file that is full: what it does not take is kept beside it, and loaded once there is room."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.core.columns import COLUMNS
from airflow_provider_permitocr.core.load import Loader
from airflow_provider_permitocr.core.models import ImageRow, Outcome, Status
from airflow_provider_permitocr.core.options import Batch
from airflow_provider_permitocr.core.spilled import load_spilled
from airflow_provider_permitocr.files.local_store import LocalStore
from airflow_provider_permitocr.files.spill import FileSpill
from airflow_provider_permitocr.sql.errors import DatabaseError
from airflow_provider_permitocr.sql.result_target import SqlResultTarget
from airflow_provider_permitocr.sql.tables import ResultTable


class Lines(list[str]):
    """A logger that keeps its lines."""

    def info(self, event: str) -> None:
        self.append(event)


def test_full_sqlite_file_leaves_answers_beside_it_until_there_is_room(
    sqlite_engine: sa.Engine, tmp_path: Path
) -> None:
    pages = [40]

    @sa.event.listens_for(sqlite_engine, "connect")
    def limit(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages[0]}")

    target = SqlResultTarget(sqlite_engine, ResultTable("permits", conn_id="warehouse"))
    target.prepare()
    spill = FileSpill(
        LocalStore(private=True), str(tmp_path / "spill"), named=str(tmp_path / "spill"), result="permits"
    )
    loader = Loader(
        target,
        Batch(rows=5),
        max_tries=3,
        run_id="run-1",
        clock=lambda: 0.0,
        now=lambda: datetime(2026, 1, 31, tzinfo=UTC),
        spill=spill,
    )
    for number in range(50):
        fields: dict[str, Any] = {"number": f"{number:08}", "profile": "x" * 10_000}
        loader.add([Outcome(ImageRow(str(number), None), Status.RECOGNIZED, fields=fields)])
    with pytest.raises(DatabaseError, match="full"):
        loader.write()
    loader.write_or_keep()
    written = loader.statuses["recognized"]
    assert 0 < written < 50
    said = loader.unwritten() or ""
    assert f"{50 - written} results that could not be written are kept in {tmp_path}/spill/" in said

    pages[0] = 100_000
    sqlite_engine.dispose()
    lines = Lines()
    assert load_spilled(spill, target, loader, COLUMNS, lines) == 50 - written
    assert list((tmp_path / "spill").iterdir()) == []
    with sqlite_engine.connect() as connection:
        numbers = connection.execute(sa.text("SELECT number FROM permits ORDER BY number")).scalars().all()
    assert numbers == [f"{number:08}" for number in range(50)]
