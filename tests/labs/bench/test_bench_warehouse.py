"""Which rows count as right."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from labs.bench.programs.calls.official_sdk import insert
from labs.ground.images import BenchImage
from labs.ground.servers.postgres import EmbeddedPostgres
from labs.ground.warehouse import BenchWarehouse


@pytest.fixture
def dsn(postgres: EmbeddedPostgres, postgres_database: str) -> str:
    return postgres.dsn(postgres_database)


@pytest.fixture
def warehouse(dsn: str) -> BenchWarehouse:
    made = BenchWarehouse(dsn)
    made.list_images(
        "images",
        [
            BenchImage("front", Path("/front.jpg"), "FRONT", "H1", "digest 1"),
            BenchImage("back", Path("/back.jpg"), "BACK", "Z2", "digest 2"),
        ],
    )
    made.make_plain_permits("permits")
    return made


def test_fronts_and_backs_count_by_the_number_on_them(warehouse: BenchWarehouse, dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        rows = [("front", "H1", "", "recognized"), ("back", "", "Z2", "recognized")]
        insert(connection, "permits", rows)
    assert warehouse.count_right("images", "permits") == 2


@pytest.mark.parametrize(
    "row",
    [
        ("front", "H9", "", "recognized"),
        ("front", "H1", "", "retry"),
        ("not listed", "H1", "", "recognized"),
    ],
    ids=["wrong number", "not recognized", "not listed"],
)
def test_other_rows_are_lost_images(
    warehouse: BenchWarehouse, dsn: str, row: tuple[str, str, str, str]
) -> None:
    with psycopg.connect(dsn) as connection:
        insert(connection, "permits", [row])
    assert warehouse.count_right("images", "permits") == 0
