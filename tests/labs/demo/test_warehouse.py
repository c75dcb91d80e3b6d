from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from labs.demo.warehouse import LedgerSums, ListedImage, Warehouse
from labs.ground.servers.postgres import EmbeddedPostgres, temporary_postgres

_NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
_IMAGES = [ListedImage("a", "/old/a.png", "FRONT"), ListedImage("b", "/old/b.png", "BACK")]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with temporary_postgres() as running:
        yield running


@pytest.fixture
def warehouse(server: EmbeddedPostgres) -> Warehouse:
    server.create_database("warehouse", replace=True)
    return Warehouse(server.dsn("warehouse"))


def test_list_is_made_once_and_the_upload_times_stay(warehouse: Warehouse) -> None:
    for days in range(2):
        warehouse.list_images(_IMAGES, _NOW + timedelta(days=days))
    assert warehouse.upload_interval() == (_NOW - timedelta(minutes=1), _NOW + timedelta(seconds=1))


def test_moved_checkout_gets_its_new_paths(
    warehouse: Warehouse, server: EmbeddedPostgres, tmp_path: Path
) -> None:
    warehouse.list_images(_IMAGES, _NOW)
    warehouse.list_images([ListedImage("a", str(tmp_path / "a.png"), "FRONT")], _NOW)
    with psycopg.connect(server.dsn("warehouse")) as connection:
        rows = connection.execute("SELECT image FROM permit_images ORDER BY image_id").fetchall()
    assert rows == [(str(tmp_path / "a.png"),), ("/old/b.png",)]


def test_no_result_table_yet_counts_as_no_results(warehouse: Warehouse) -> None:
    warehouse.list_images(_IMAGES, _NOW)
    assert warehouse.count_results() == 0


def test_results_of_listed_images_are_counted(warehouse: Warehouse, server: EmbeddedPostgres) -> None:
    warehouse.list_images(_IMAGES, _NOW)
    with psycopg.connect(server.dsn("warehouse")) as connection:
        connection.execute("CREATE TABLE permits (image_key text, card_side text)")
        connection.execute("INSERT INTO permits VALUES ('b', 'BACK'), ('no longer listed', 'FRONT')")
    assert warehouse.count_results() == 1
    assert warehouse.results()[0] == {"image_key": "b", "card_side": "BACK"}


def test_the_ledger_is_summed_up_for_one_run(warehouse: Warehouse, server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.dsn("warehouse")) as connection:
        connection.execute("CREATE TABLE permit_ocr_calls (run_id text, billed integer)")
        connection.execute(
            "INSERT INTO permit_ocr_calls VALUES ('a', 1), ('a', 1), ('a', 0), ('a', NULL), ('b', 1)"
        )
    assert warehouse.ledger_sums("a") == LedgerSums(calls=4, billed=2, unknown=1)
    assert warehouse.ledger_sums("none") == LedgerSums(0, 0, 0)
