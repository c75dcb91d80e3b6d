"""What the part *targets* runs, in small."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from airflow_provider_permitocr.engine.delivery.deliveries import Deliveries
from airflow_provider_permitocr.options.run import Batch
from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.sql.ledger.lists.lists import target_name
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget
from labs.bench.programs import write_object
from labs.bench.programs.lists import erase_rows, rebuild_table, refused_rows
from labs.bench.programs.lists.filled import deliver_all, fill_ledger, refuse_odd_rows
from labs.bench.programs.stubbed import TARGET, engine
from labs.ground.servers.postgres import EmbeddedPostgres

pytestmark = pytest.mark.slow

ROWS = 120
_TABLES = (
    "SELECT * FROM permits ORDER BY image_key",
    "SELECT image_key, card_side, reason, has_row FROM permit_ocr_refused ORDER BY image_key",
    "SELECT target, version, row_count, highest FROM permit_ocr_deliveries",
)


@pytest.fixture
def dsn(postgres: EmbeddedPostgres, postgres_database: str) -> str:
    return postgres.dsn(postgres_database)


def seen(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def rows_of(dsn: str) -> list[list[tuple[Any, ...]]]:
    with psycopg.connect(dsn) as connection:
        return [connection.execute(each).fetchall() for each in _TABLES]


def deliver(dsn: str, *, odd_rows_are_refused: bool) -> None:
    """Deliver what a filled ledger has kept."""
    database = engine(dsn)
    target = SqlResultTarget(database, TARGET)
    target.prepare()
    if odd_rows_are_refused:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(refused_rows.check("none"))
    deliveries = Deliveries(fill_ledger(database, ROWS), {target_name(TARGET): target}, Batch())
    deliveries.prepare(COLUMNS)
    deliveries.finish(60.0)
    database.dispose()


def fill(dsn: str, *, odd_rows_are_refused: bool) -> None:
    """Have the database make all that a delivery would leave."""
    database = engine(dsn)
    known = fill_ledger(database, ROWS).where()
    assert known
    deliver_all(database, known[0], ROWS)
    if odd_rows_are_refused:
        refuse_odd_rows(database, known[0])
    database.dispose()


@pytest.mark.parametrize("odd_rows_are_refused", [False, True])
def test_filled_tables_are_those_that_a_delivery_leaves(
    dsn: str, postgres: EmbeddedPostgres, postgres_database: str, odd_rows_are_refused: bool
) -> None:
    postgres.create_database(f"{postgres_database}_filled", replace=True)
    filled = postgres.dsn(f"{postgres_database}_filled")

    deliver(dsn, odd_rows_are_refused=odd_rows_are_refused)
    fill(filled, odd_rows_are_refused=odd_rows_are_refused)

    assert rows_of(dsn) == rows_of(filled)
    permits, refused, _ = rows_of(filled)
    assert (len(permits), len(refused)) == (ROWS, ROWS // 2 if odd_rows_are_refused else 0)


def test_a_table_is_rebuilt_empty_and_full(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    rebuild_table.main(dsn, str(ROWS))
    found = seen(capsys)
    assert found["calls"] == 0
    assert set(found["empty"]) == set(found["full"]) == {"seconds", "cpu_seconds"}


def test_a_list_becomes_one_object(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_object.main(dsn, str(ROWS))
    found = seen(capsys)
    assert (found["objects"], found["right"]) == (1, ROWS)


def test_refused_rows_add_few_statements_to_a_run(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused_rows.main(dsn, "100")
    found = seen(capsys)
    delivered = {case: run["delivered"] for case, run in found["cases"].items()}
    assert delivered["none"] == 0
    assert 0 < delivered["second"] < 50
    assert delivered["all"] == 100
    assert all(0 < run["statements"] - found["without"] <= 200 for run in found["cases"].values())


def test_nobody_is_found_once_every_row_is_erased(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    erase_rows.main(dsn, str(ROWS))
    found = seen(capsys)
    assert (found["found_before"], found["found"]) == (2, 0)
