"""Values of the list that its driver cannot read, as the author of a DAG sees them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr import ImageTable, Ledger, ResultTable
from airflow_provider_permitocr.emulator.running import RunningEmulator
from tests.operators.conftest import ImageList

Rows = Callable[[], dict[tuple[str, str], dict[str, Any]]]
Execute = Callable[..., dict[str, Any]]


@pytest.mark.whole_runs
def test_image_whose_change_time_is_infinity_is_paid_for_once(
    execute: Execute, connected: RunningEmulator, image_list: ImageList, warehouse: sa.Engine, permits: Rows
) -> None:
    image_list(3)
    with warehouse.begin() as connection:
        connection.execute(
            sa.text("UPDATE permit_images SET uploaded_at = 'infinity' WHERE image_id = 'k001'")
        )
    billed = [execute(f"run-{number}")["billed"] for number in range(3)]
    assert billed == [3, 0, 0]
    assert permits()["k001", "FRONT"]["image_updated_at"] is None


@pytest.fixture
def broken_list(
    sqlite_engine: sa.Engine, set_connection: Callable[..., None], image_list: ImageList, tmp_path: Path
) -> None:
    """A list in SQLite, of images ``k000`` on, of which each but the first has a text that is not UTF-8."""
    image_list(1)
    set_connection("lake", conn_type="sqlite", host=str(sqlite_engine.url.database))
    broken, image = b"\xffno-one-reads-this", str(tmp_path / "0.jpg")
    rows: list[tuple[Any, ...]] = [
        ("k000", image, "2026-01-31", "north"),
        ("k001", broken, "2026-01-31", "north"),
        ("k002", image, broken, "north"),
        ("k003", image, "2026-01-31", broken),
        (broken, image, "2026-01-31", "north"),
    ]
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE scans (id TEXT, image TEXT, changed_at TEXT, branch TEXT)")
        for row in rows:
            marks = ", ".join("CAST(? AS TEXT)" if isinstance(each, bytes) else "?" for each in row)
            connection.exec_driver_sql(f"INSERT INTO scans VALUES ({marks})", row)


@pytest.mark.whole_runs
@pytest.mark.usefixtures("broken_list", "connected")
def test_text_that_is_not_utf8_ends_its_own_row_and_shows_nowhere(
    execute: Execute, permits: Rows, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    source = ImageTable(
        "scans", conn_id="lake", key="id", image="image", updated_at="changed_at", carry_columns=["branch"]
    )
    targets: dict[str, Any] = {
        "target": ResultTable("permits", conn_id="warehouse"),
        "ledger": Ledger("permit_ocr", conn_id="warehouse"),
    }
    summaries = [execute(f"run-{number}", source=source, **targets) for number in range(2)]
    assert [(each["listed"], each["billed"]) for each in summaries] == [(4, 3), (4, 0)]
    found = {key: (row["status"], row["error_code"], row["branch"]) for (key, _), row in permits().items()}
    assert found == {
        "k000": ("recognized", None, "north"),
        "k001": ("rejected", "ImageValueUnreadable", "north"),
        "k002": ("recognized", None, "north"),
        "k003": ("recognized", None, None),
    }
    everything = f"{caplog.text}{capfd.readouterr()}{summaries}{permits()}"
    assert "no-one-reads-this" not in everything
