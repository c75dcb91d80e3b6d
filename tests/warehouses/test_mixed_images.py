"""The same images, from every kind of source, give the same rows in every database."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr import (
    CallRetry,
    ImageAccess,
    ImageTable,
    Ledger,
    MainlandPermitOcrOperator,
    ResultTable,
)
from airflow_provider_permitocr.emulator.engines.label import LabelEngine
from airflow_provider_permitocr.emulator.engines.rapidocr import RapidOcrEngine
from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.options import EmulatorOptions
from airflow_provider_permitocr.emulator.running import start_emulator
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.wiring.connections.sql_engine import sql_engine
from tests.support.drivers import OF_HOOK
from tests.warehouses.conftest import warehouses_here
from tests.warehouses.mixed_images import MixedImages, mix_images, values_to_compare

pytestmark = pytest.mark.slow

Row = dict[str, Any]

LISTS = {
    "references": ImageAccess(fetch_hosts=("127.0.0.1",)),
    "blobs": ImageAccess(shrink_oversized=True),
    "downloads": ImageAccess(fetch_images=True, fetch_hosts=("127.0.0.1",)),
}


CARRIED = ["day", "note"]


class LabelElsePixels:
    """Reads a specimen's label, which is fast, and once its pixels where converting has dropped it."""

    def __init__(self) -> None:
        self._label, self._pixels = LabelEngine(), RapidOcrEngine()
        self._known: dict[bytes, dict[str, Any]] = {}

    def read(self, image: bytes, card_side: CardSide, with_portrait: bool) -> dict[str, Any]:
        try:
            return self._label.read(image, card_side, with_portrait)
        except ApiError:
            if image not in self._known:
                self._known[image] = self._pixels.read(image, card_side, with_portrait)
            return dict(self._known[image])


def fill(mixed: MixedImages) -> None:
    """Make the three lists in the database of the connection ``warehouse``."""
    engine = sql_engine("warehouse")
    long_text = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
    long_bytes = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")
    # Others keep a UUID as whatever text the list's owner has made of it.
    has_uuids = engine.dialect.supports_native_uuid
    key_of_downloads = sa.Uuid() if has_uuids else sa.String(36)
    downloads = {key if has_uuids else str(key): url for key, url in mixed.downloads.items()}
    lists: Mapping[str, tuple[Any, Any, Mapping[Any, Any]]] = {
        # A reserved word everywhere.
        "references": (sa.String(100), long_text, mixed.references),
        "blobs": (sa.BigInteger, long_bytes, mixed.blobs),
        "downloads": (key_of_downloads, long_text, downloads),
    }
    with engine.begin() as connection:
        for name, (key_type, image_type, images) in lists.items():
            table = sa.Table(
                name,
                sa.MetaData(),
                sa.Column("key", key_type, primary_key=True, autoincrement=False),
                sa.Column("image", image_type),
                sa.Column("day", sa.Date),
                sa.Column("note", sa.Unicode(20)),
            )
            table.create(connection)
            day = date(2026, 1, 31)
            # A character outside of the plane that most are in.
            notes = cycle(("𠮷田", "", None))
            rows = [
                {"key": key, "image": image, "day": day, "note": note}
                for (key, image), note in zip(images.items(), notes, strict=False)
            ]
            connection.execute(sa.insert(table), rows)
    engine.dispose()


def run(source: str, images: ImageAccess, ledger: Ledger | None) -> dict[str, Any]:
    operator = MainlandPermitOcrOperator(
        task_id="recognize",
        source=ImageTable(source, conn_id="warehouse", key="key", image="image", carry_columns=CARRIED),
        target=ResultTable(f"permits_of_{source}", conn_id="warehouse"),
        ledger=ledger,
        images=images,
        max_per_second=500,
        call_retry=CallRetry(attempts=2, base_seconds=0),
        pool="tencent_permit_ocr",
    )
    return operator.execute({"run_id": "run 1"})


def results() -> dict[str, Row]:
    engine = sql_engine("warehouse")
    rows: list[Row] = []
    for source in LISTS:
        name, is_known = f"permits_of_{source}", engine.name != "duckdb"
        table = sa.Table(name, sa.MetaData(), autoload_with=engine) if is_known else None
        selected = sa.text(f"SELECT * FROM {name}") if table is None else sa.select(table)
        with engine.connect() as connection:
            rows += [dict(row) for row in connection.execute(selected).mappings()]
    engine.dispose()
    return {row["image_key"]: _plain(row) for row in rows}


def _plain(row: Row) -> Row:
    """Give booleans and days the one type that drivers without such types lack."""
    return {
        name: bool(value)
        if name.startswith("warn_") and isinstance(value, int)
        else date.fromisoformat(value)
        if name in ("birthday", "valid_from", "valid_until", "day") and isinstance(value, str)
        else value
        for name, value in row.items()
    }


def _timed(row: Row) -> Row:
    """Give times the one type that SQLite and JSON lack."""
    times = ("image_updated_at", "processed_at", "attempted_at")
    moments = {
        name: datetime.fromisoformat(row[name]) if isinstance(row[name], str) else row[name] for name in times
    }
    return row | {name: moment and moment.replace(tzinfo=UTC) for name, moment in moments.items()}


@pytest.fixture
def mixed(
    tmp_path: Path, serve_image: Callable[[bytes], str], object_stores: list[Callable[[bytes], str]]
) -> MixedImages:
    directory = tmp_path / "images"
    directory.mkdir()
    images = mix_images(directory, by_url=serve_image, in_stores=object_stores)
    assert (len(images), len(images.codes)) == (200, 20)
    return images


def test_two_hundred_mixed_images_give_the_same_rows_in_all_databases(
    mixed: MixedImages,
    connect_warehouse: Callable[[str], None],
    connect_emulator: Callable[..., None],
    in_snowflake: Callable[..., Any],
) -> None:
    written: dict[str, dict[str, Row]] = {}
    with start_emulator(EmulatorOptions(quota=0, engine="label"), LabelElsePixels()) as emulator:
        connect_emulator(emulator)
        for kind in warehouses_here():
            connect_warehouse(kind)
            fill(mixed)
            ledger = Ledger("permit_ocr", conn_id="ledger") if kind == "duckdb" else None
            for source, images in LISTS.items():
                run(source, images, ledger)
            written[kind] = results()
            if kind == "sqlite":
                # Not run again: filled from what the ledger has kept of these runs.
                asked = {"lists": list(LISTS), "carried": CARRIED}
                in_snow = in_snowflake("operators", {"filled": asked})["filled"]

    found = {
        kind: {key: values_to_compare(row) for key, row in of_kind.items()}
        for kind, of_kind in written.items()
    }
    rows = found[OF_HOOK]
    assert {key: row["number"] for key, row in rows.items() if row["status"] == "recognized"} == mixed.numbers
    assert {key: row["error_code"] for key, row in rows.items() if row["error_code"]} == mixed.codes
    assert {row["day"] for row in rows.values()} == {date(2026, 1, 31)}
    assert set(map(str, mixed.downloads)) <= set(rows)
    assert uuid.UUID(next(key for key in rows if len(key) == 36))
    assert {row["note"] for row in rows.values()} == {"𠮷田", "", None}
    for kind, others in found.items():
        assert others == rows, kind
    assert {source: each["merges"] for source, each in in_snow.items()} == dict.fromkeys(LISTS, 1)
    of_snow = {row["image_key"]: _timed(_plain(row)) for each in in_snow.values() for row in each["rows"]}
    assert of_snow == {key: _timed(row) for key, row in written["sqlite"].items()}
