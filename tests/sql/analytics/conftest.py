"""A result table and a ledger as runs would have left them, on any database, and analyses of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.engine.delivery.frame import to_frame
from airflow_provider_permitocr.options.ledger import Ledger
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.permit.advice import advice_by_code
from airflow_provider_permitocr.permit.columns import Column, ColumnKind, result_columns
from airflow_provider_permitocr.permit.error_codes import SERVICE_CODES
from airflow_provider_permitocr.sql.analytics.call_tables import SqlCallTables, lists_of
from airflow_provider_permitocr.sql.analytics.definitions import OF_LEDGERS, OF_RESULTS
from airflow_provider_permitocr.sql.analytics.result_views import SqlResultViews
from airflow_provider_permitocr.sql.database.types import TYPES
from airflow_provider_permitocr.sql.ledger.lists.resolved import resolved_name
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables, ledger_tables
from airflow_provider_permitocr.sql.targets.result_target import SqlResultTarget

ADVICE = advice_by_code(SERVICE_CODES)
ZONE = ZoneInfo("Asia/Shanghai")
MINUTES = 8 * 60
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
LIST_ID = 7
#: Types that read alike on every database.
PLAIN: dict[ColumnKind, Any] = {**TYPES, ColumnKind.KEY: sa.types.NULLTYPE}


@dataclass
class Analyzed:
    """A result table of one database, and the analyses beside it."""

    engine: sa.Engine
    ledger: sa.Engine
    described: ResultTable = field(default_factory=lambda: ResultTable("permits", conn_id="warehouse"))
    key_type: str | None = None

    def write(self, *rows: dict[str, Any], carried: tuple[Column, ...] = ()) -> None:
        """Make the result table, and put rows into it: recognized fronts, unless they say something else."""
        target = SqlResultTarget(self.engine, self.described)
        target.prepare(result_columns(carried))
        front: dict[str, Any] = {"card_side": "FRONT", "status": "recognized", "processed_at": NOON}
        if rows:
            written = to_frame([front | row for row in rows], result_columns(carried))
            assert target.write(written) == {}

    def views(self) -> SqlResultViews:
        """The views beside it."""
        return SqlResultViews(
            self.engine, self.described, minutes=MINUTES, advice=ADVICE, key_type=self.key_type
        )

    def prepare(self) -> dict[str, bool]:
        """Check and prepare all views; return which were changed."""
        views = self.views()
        views.check()
        return views.prepare()

    def make_calls(self, calls: Iterable[dict[str, Any]], *, list_id: int = LIST_ID) -> LedgerTables:
        """Put calls into a ledger that fills the result table."""
        tables = ledger_tables("permit_ocr")
        tables.calls.metadata.create_all(self.ledger)
        named = resolved_name(self.engine, self.described)
        known = {"list_id": list_id, "card_side": "FRONT", "account": "a", "dag_id": "daily", "task_id": "t"}
        known |= {"run_id": "r", "map_index": -1, "task_try": 1, "session_id": "s", "held_until": NOON}
        known |= {"place": 1, "intended_at": NOON, "answered_at": None, "code": "OK", "billed": 1}
        known |= dict.fromkeys(("permit_kind", "unit_price", "currency"))
        numbered = [
            {"call_id": f"{list_id}-{number}", "image_key": f"{number}"} | known | call
            for number, call in enumerate(calls)
        ]
        with self.ledger.begin() as connection:
            connection.execute(
                sa.insert(tables.lists),
                {"list_id": list_id, "name": f"list {list_id}", "source_conn_id": "lake", "key_column": "id"},
            )
            connection.execute(
                sa.insert(tables.deliveries),
                {"list_id": list_id, "target": named, "delivery_id": list_id, "version": 1},
            )
            if numbered:
                connection.execute(sa.insert(tables.calls), numbered)
        return tables

    def tables(self, *list_ids: int) -> SqlCallTables:
        """The small tables beside it."""
        return SqlCallTables(
            *(self.engine, self.described),
            ledger=self.ledger,
            tables=ledger_tables("permit_ocr"),
            list_ids=list_ids or (LIST_ID,),
            zone=ZONE,
        )

    def lists(self) -> Any:
        """Which lists the ledger says fill the result table."""
        named = resolved_name(self.engine, self.described)
        return lists_of(self.ledger, Ledger(conn_id="ledger"), self.described, named)

    def read(self, suffix: str) -> list[dict[str, Any]]:
        """Read a view or a small table with the types of Python, sorted."""
        known = {each.suffix: each for each in (*OF_RESULTS, *OF_LEDGERS)}[suffix]
        schema, _, name = self.described.table.rpartition(".")
        columns = (sa.column(each.name, PLAIN[each.kind]) for each in known.columns)
        table = sa.table(f"{name}_{suffix}", *columns, schema=schema or None)
        with self.engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
        return sorted(rows, key=str)


@pytest.fixture
def analyzed(database: sa.Engine, request: pytest.FixtureRequest) -> Callable[..., Analyzed]:
    """Make a result table on each database, whose ledger is beside it where one can be."""

    def make(table: str = "permits", **options: Any) -> Analyzed:
        is_duckdb = database.dialect.name == "duckdb"
        ledger = request.getfixturevalue("sqlite_engine") if is_duckdb else database
        key_type = options.pop("key_type", None)
        return Analyzed(database, ledger, ResultTable(table, conn_id="warehouse", **options), key_type)

    return make
