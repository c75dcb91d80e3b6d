"""What tests of the ledger's parts stand on: databases, tables, callers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.sql.ledger.exchange.caller import Caller
from airflow_provider_permitocr.sql.ledger.lists.lists import ListIdentity
from airflow_provider_permitocr.sql.ledger.tables.preparation import prepare_tables
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables
from tests.support.kept_ledger import KeptLedgers

LEDGER = Ledger("permit_ocr", conn_id="lake")
TARGET = "lake:permits"
#: Every kind of database that a ledger can be kept in.
EVERY_LEDGER = pytest.mark.parametrize(
    "database", ["psycopg", "psycopg2", "mariadb", "sqlite"], indirect=True
)
#: Once each, where the driver does not matter.
EACH_LEDGER = pytest.mark.parametrize("database", ["psycopg", "mariadb", "sqlite"], indirect=True)
#: The database is empty.
NOT_PREPARED = pytest.mark.parametrize("kept_ledgers", [None], ids=["empty"])


def prepared(engine: sa.Engine, described: Ledger = LEDGER) -> LedgerTables:
    """Prepare a ledger."""
    return prepare_tables(engine, described, "UTC")


def prepare_once(ledgers: KeptLedgers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have ledgers that are prepared already, and not changed since, taken as they are."""
    ledgers.prepare_once(monkeypatch)
    monkeypatch.setitem(globals(), "prepare_tables", ledgers.prepare)


def identity(**special: Any) -> ListIdentity:
    """Return a list with its default name, read from ``permit_images`` on ``lake``."""
    described: dict[str, Any] = {
        "name": TARGET,
        "is_default_name": True,
        "source_conn_id": "lake",
        "source_table": "permit_images",
        "key_column": "image_id",
        "key_type": "text",
        "targets": (TARGET,),
    }
    return ListIdentity(**(described | special))


def caller(session_id: str = "session-1", *, list_id: int = 1, **run: Any) -> Caller:
    """Return a process of a DAG run; what is special about the run by name."""
    described: dict[str, Any] = {"dag_id": "permits", "task_id": "recognize", "run_id": "monday"}
    return Caller(
        list_id=list_id,
        account="100",
        run=RunIdentity(**(described | run)),
        session_id=session_id,
        budget=Budget(),
        timezone="UTC",
        hold=timedelta(minutes=5),
    )


def rows_of(engine: sa.Engine, table: sa.Table) -> list[Any]:
    """Return all rows of a table, in the order of its key."""
    with engine.connect() as connection:
        return list(connection.execute(sa.select(table).order_by(*table.primary_key)))


def execute(engine: sa.Engine, *statements: str) -> None:
    """Execute statements in one transaction."""
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
