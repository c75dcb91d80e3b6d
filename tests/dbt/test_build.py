"""dbt builds the package on tables that runs have written, and its numbers are those of Python."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr import (
    Budget,
    ImageTable,
    Ledger,
    MainlandPermitOcrOperator,
    ResultTable,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import PermitKind, Specimen
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables
from labs.ground.analytics_project import DbtProject, postgres_output
from labs.ground.servers.postgres import EmbeddedPostgres
from tests.dbt.generated import LEDGER_TABLES
from tests.dbt.test_package import staging_names

pytestmark = pytest.mark.slow

Rows = list[dict[str, Any]]
#: Documents by key: kind and person of the front, then of the back; None: there is no such side.
DOCUMENTS: dict[str, tuple[tuple[PermitKind, int] | None, tuple[PermitKind, int] | None]] = {
    "same": ((PermitKind.HONG_KONG_MACAO, 0), (PermitKind.HONG_KONG_MACAO, 0)),
    "other person": ((PermitKind.HONG_KONG_MACAO, 1), (PermitKind.HONG_KONG_MACAO, 2)),
    "other type": ((PermitKind.TAIWAN, 3), (PermitKind.HONG_KONG_MACAO, 3)),
    "front alone": ((PermitKind.TAIWAN, 4), None),
    "back alone": (None, (PermitKind.HONG_KONG_MACAO, 5)),
}
#: A day with the price of its calls; the second run pays for an image that has changed.
PRICES = {"run-1": Decimal("0.02"), "run-2": Decimal("0.0155")}
CHANGED = "same"
#: Rows of the list: sides of documents, and a missing file.
SIDES = 9
SPOILED = (
    "UPDATE recognitions SET status = 'lost' WHERE image_key = 'missing'",
    "UPDATE recognitions SET quality_flags = '[\"of_the_future\"]' WHERE image_key = 'front alone'",
    "UPDATE permit_ocr_calls SET unit_price = '-1'",
    "INSERT INTO permit_ocr_lists (list_id, name, source_conn_id, key_column)"
    " VALUES (77, 'permits', 'lake', 'id')",
    "UPDATE permit_ocr_runs SET started_at = started_at - INTERVAL 3 DAY",
)
#: What has to fail then.
FAILING = {
    "accepted_values_stg_permit_ocr__permits_status__recognized__rejected__failed__retry__gone__erased",
    "accepted_values_permit_ocr__documents_front_status__recognized__rejected__failed__retry__gone__erased",
    "every_quality_flag_is_known",
    "permit_ocr_not_negative_stg_permit_ocr__calls_unit_price",
    "permit_ocr_not_negative_stg_permit_ocr__calls_cost",
    "permit_ocr_not_negative_permit_ocr__daily_cost_cost",
    "unique_stg_permit_ocr__lists_list_name",
}


@pytest.fixture
def listed(tmp_path: Path, draw: Callable[..., Specimen], new_engine: Callable[..., sa.Engine]) -> sa.Engine:
    """An image list in SQLite, which has one missing file besides the documents."""
    engine = new_engine(f"sqlite:///{tmp_path / 'lake.db'}")
    with engine.begin() as connection:
        connection.execute(
            sa.text("CREATE TABLE images (id text, side text, image text, at text, note text)")
        )
        insert = sa.text("INSERT INTO images VALUES (:id, :side, :image, '2026-05-01 00:00:00', :note)")
        for key, sides in DOCUMENTS.items():
            for side, person in zip(CardSide, sides, strict=True):
                if person is not None:
                    file = tmp_path / f"{key} {side}.jpg"
                    file.write_bytes(draw(person[0], side, person[1]).image)
                    row = {"id": key, "side": side, "image": str(file), "note": f"of {key}"}
                    connection.execute(insert, row)
        connection.execute(
            insert, {"id": "missing", "side": "FRONT", "image": str(tmp_path / "none.jpg"), "note": None}
        )
    return engine


@pytest.fixture
def fill(
    listed: sa.Engine,
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    set_connection: Callable[..., None],
) -> Callable[..., None]:
    """Run the list into these targets twice, the second time with a changed image and another price."""
    connect_emulator(emulator)
    set_connection("lake", conn_type="sqlite", host=listed.url.database)

    def run(*targets: ResultTable, ledger: Ledger) -> None:
        for run_id, price in PRICES.items():
            MainlandPermitOcrOperator(
                task_id="recognize",
                source=ImageTable(
                    "images",
                    conn_id="lake",
                    key="id",
                    image="image",
                    card_side="side",
                    updated_at="at",
                    carry_columns=["note"],
                ),
                target=list(targets),
                list="permits",
                ledger=ledger,
                budget=Budget(price_per_call=str(price), currency="USD"),
                max_per_second=200,
                pool="tencent_permit_ocr",
            ).execute({"run_id": run_id})
            with listed.begin() as connection:
                changed = sa.text("UPDATE images SET at = '2026-05-02 00:00:00' WHERE id = :id")
                connection.execute(changed, {"id": CHANGED})

    return run


@pytest.fixture
def in_postgres(
    warehouse: sa.Engine,
    postgres: EmbeddedPostgres,
    postgres_database: str,
    new_project: Callable[[Mapping[str, Any]], DbtProject],
    fill: Callable[..., None],
) -> DbtProject:
    """Tables in PostgreSQL, with a row per image and side."""
    fill(
        ResultTable("permits", conn_id="warehouse", documents_view="permit_documents"),
        ledger=Ledger("permit_ocr", conn_id="warehouse"),
    )
    return new_project(postgres_output(postgres.airflow_connection(postgres_database)))


@pytest.fixture
def duckdb_file(tmp_path: Path, fill: Callable[..., None], set_connection: Callable[..., None]) -> Path:
    """A DuckDB file with a history, and with a copy of the ledger, which is in SQLite."""
    file = tmp_path / "warehouse.duckdb"
    set_connection("duck", conn_type="duckdb", host=str(file))
    set_connection("ops", conn_type="sqlite", host=str(tmp_path / "ops.db"))
    fill(
        ResultTable("recognitions", conn_id="duck", mode="append", documents_view="permit_documents"),
        ledger=Ledger("permit_ocr", conn_id="ops"),
    )
    tables = {each.name: each for each in ledger_tables("permit_ocr")}
    ops, duck = (
        sa.create_engine(f"{url}") for url in (f"sqlite:///{tmp_path / 'ops.db'}", f"duckdb:///{file}")
    )
    with ops.connect() as source, duck.begin() as connection:
        for name in LEDGER_TABLES:
            table = tables[f"permit_ocr_{name}"]
            table.create(connection)
            connection.execute(
                sa.insert(table), [dict(row._mapping) for row in source.execute(sa.select(table))]
            )
    ops.dispose()
    duck.dispose()
    return file


def rows(engine: sa.Engine, select: str) -> Rows:
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(sa.text(select)).mappings()]


def by_key(found: Rows) -> dict[str, dict[str, Any]]:
    return {row["image_key"]: row for row in found}


def check_documents(engine: sa.Engine, schema: str) -> None:
    """Compare with the view that the operator makes, column by column."""
    built = by_key(rows(engine, f"SELECT * FROM {schema}.permit_ocr__documents"))
    renamed = staging_names()
    view = [
        {renamed.get(name, name): value for name, value in row.items()}
        for row in rows(engine, "SELECT * FROM permit_documents")
    ]
    assert set(built) == {*DOCUMENTS, "missing"}
    for row in view:
        assert {name: built[row["image_key"]][name] for name in row} == row
    mismatches = {key: (row["type_mismatch"], row["name_mismatch"]) for key, row in built.items()}
    assert mismatches == {
        **{"same": (False, False), "other person": (False, True), "other type": (True, True)},
        **{"front alone": (None, None), "back alone": (None, None), "missing": (None, None)},
    }
    assert {key: row["note"] for key, row in built.items()} == {
        **{key: f"of {key}" for key in DOCUMENTS},
        "missing": None,
    }


def check_flags(engine: sa.Engine, schema: str) -> None:
    permits = rows(
        engine, f"SELECT image_key, card_side, quality_flags FROM {schema}.stg_permit_ocr__permits"
    )
    listed = {
        (row["image_key"], row["card_side"], flag)
        for row in permits
        for flag in json.loads(row["quality_flags"] or "[]")
    }
    between = {("other person", None, "name_mismatch"), ("other type", None, "name_mismatch")}
    between |= {("other type", None, "type_mismatch")}
    flags = rows(engine, f"SELECT image_key, card_side, flag FROM {schema}.permit_ocr__flags")
    assert len(permits) == SIDES
    assert listed
    assert {tuple(row.values()) for row in flags} == listed | between
    assert len(flags) == len(listed | between)


def check_costs(engine: sa.Engine, schema: str) -> None:
    """Sum up the ledger's calls in Python, each at its own price."""
    sums: dict[tuple[Any, ...], Decimal] = {}
    calls: Counter[tuple[Any, ...]] = Counter()
    for call in rows(engine, "SELECT * FROM permit_ocr_calls"):
        intended: datetime = call["intended_at"]
        if intended.tzinfo is None:
            intended = intended.replace(tzinfo=UTC)
        key = (intended.astimezone(UTC).date(), call["permit_kind"])
        calls[key] += 1
        sums[key] = sums.get(key, Decimal()) + Decimal(call["unit_price"]) * call["billed"]
    daily = rows(engine, f"SELECT * FROM {schema}.permit_ocr__daily_cost")
    assert {(row["cost_day"], row["permit_kind"]): row["cost"] for row in daily} == sums
    assert {(row["cost_day"], row["permit_kind"]): row["calls"] for row in daily} == calls
    assert sum(row["cost"] for row in daily) == 8 * PRICES["run-1"] + 2 * PRICES["run-2"]
    assert {type(row["cost"]) for row in daily} == {Decimal}
    assert {row["currency"] for row in daily} == {"USD"}


def test_models_are_green_on_postgresql_and_hold_what_the_operator_wrote(
    in_postgres: DbtProject, warehouse: sa.Engine
) -> None:
    ended = in_postgres.run("deps", "build", permit_ocr_carried_columns=["note"])
    built = ended.nodes[1]
    assert set(built.values()) == {"success", "pass"}, ended.output[-5000:]
    assert Counter(built.values())["pass"] > 50
    check_documents(warehouse, "public_permits")
    check_flags(warehouse, "public_permits")
    check_costs(warehouse, "public_permits")


def test_models_are_green_on_a_history_in_duckdb_and_red_once_the_data_is_wrong(
    duckdb_file: Path,
    new_project: Callable[[Mapping[str, Any]], DbtProject],
    new_engine: Callable[..., sa.Engine],
) -> None:
    project = new_project({"type": "duckdb", "path": str(duckdb_file), "schema": "main", "threads": 4})
    variables = {"permit_ocr_carried_columns": ["note"], "permit_ocr_table": "recognitions"}
    ended = project.run("deps", "build", "source freshness", **variables)
    _, built, fresh = ended.nodes
    assert set(built.values()) == {"success", "pass"}, ended.output[-5000:]
    assert fresh == {"permits": "pass", "runs": "pass"}
    engine = new_engine(f"duckdb:///{duckdb_file}")
    assert len(rows(engine, "SELECT * FROM recognitions")) > SIDES
    check_documents(engine, "main_permits")
    check_flags(engine, "main_permits")
    check_costs(engine, "main_permits")

    with engine.begin() as connection:
        for change in SPOILED:
            connection.execute(sa.text(change))
    engine.dispose()
    tested, stale = project.run("test", "source freshness", **variables).nodes
    assert {name for name, status in tested.items() if status == "fail"} == FAILING
    assert stale == {"permits": "pass", "runs": "warn"}


def test_a_warehouse_without_a_ledger_has_the_models_of_results(
    tmp_path: Path, new_project: Callable[[Mapping[str, Any]], DbtProject]
) -> None:
    project = new_project({"type": "duckdb", "path": str(tmp_path / "empty.duckdb"), "schema": "main"})
    sought = "ls --resource-type model --resource-type source"
    _, listed = project.run("deps", sought, permit_ocr_ledger_enabled=False).nodes
    assert set(listed) == {
        *("stg_permit_ocr__permits", "permit_ocr__documents", "permit_ocr__flags", "permits"),
    }
