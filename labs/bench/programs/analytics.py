"""How long analysts wait: every view and small table over as many rows as asked for, and one update of all.

``python -m labs.bench.programs.analytics [ROWS]``, or ``make bench-analytics``; 1,000,000 rows by default.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import psutil
import psycopg
import sqlalchemy as sa

from airflow_provider_permitocr.engine.analytics.figures import Figures
from airflow_provider_permitocr.permit.advice import advice_by_code
from airflow_provider_permitocr.permit.quality.assessment import DEFAULT_ZONE
from airflow_provider_permitocr.report.page import page
from airflow_provider_permitocr.report.pictures import poster
from airflow_provider_permitocr.sql.analytics.call_tables import SqlCallTables
from airflow_provider_permitocr.sql.analytics.figures import read_figures
from airflow_provider_permitocr.sql.analytics.result_views import SqlResultViews
from airflow_provider_permitocr.sql.analytics.update import AnalyticsUpdate
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables
from airflow_provider_permitocr.tencent.decisions import ERROR_CODES
from labs.bench.programs.lists.filled import deliver_all, fill_ledger, settle_down
from labs.bench.programs.stubbed import TARGET, engine
from labs.ground.servers.postgres import EmbeddedPostgres

_MINUTES: Final = 8 * 60
#: A million different people, some of them twice; a tenth of the images without an answer.
_VARIED: Final = """
UPDATE permits SET
    number = 'H' || lpad(CAST(n - n % 50 / 48 AS text), 8, '0'),
    issue_number = lpad(CAST(n % 4 AS text), 2, '0'),
    permit_kind = (ARRAY['taiwan', 'hong_kong_macao', 'exit_entry', NULL])[n % 4 + 1],
    processed_at = now() - n % 60 * interval '1 day' - n % 3600 * interval '1 second',
    valid_from = date '2015-01-01' + n % 2000,
    valid_until = current_date + n % 2000 - 200,
    status = CASE n % 10 WHEN 9 THEN 'failed' ELSE 'recognized' END,
    error_code = CASE n % 10 WHEN 9 THEN 'FailedOperation.ImageBlur' END,
    is_doubtful = n % 7 = 0, review_status = (ARRAY['confirmed', 'rejected', NULL, NULL])[n % 4 + 1],
    quality_flags = (ARRAY['[]', '["expired"]', '["expired", "name_mismatch"]', NULL])[n % 4 + 1]
FROM (SELECT image_key AS numbered, CAST(right(image_key, 9) AS int) AS n FROM permits) AS all_rows
WHERE image_key = numbered
"""
_CALLS: Final = """
UPDATE permit_ocr_calls SET
    intended_at = now() - n * interval '50 milliseconds',
    answered_at = now() - n * interval '50 milliseconds' + (300 + n % 1700) * interval '1 millisecond',
    unit_price = '0.15', currency = 'CNY', dag_id = 'dag ' || n % 3,
    permit_kind = (ARRAY['taiwan', 'hong_kong_macao', 'exit_entry', NULL])[n % 4 + 1],
    billed = (ARRAY[1, 1, 1, 0, NULL])[n % 5 + 1]
FROM (SELECT call_id AS numbered, CAST(right(image_key, 9) AS int) AS n FROM permit_ocr_calls) AS all_calls
WHERE call_id = numbered
"""


def main(rows: str = "1000000") -> None:
    """Fill a new PostgreSQL server, and print the seconds of each view, and of an update of all."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder) / "server" / "data") as server,
    ):
        server.create_database("bench")
        dsn = server.dsn("bench")
        database = engine(dsn)
        known = fill_ledger(database, int(rows)).where()
        assert known
        tables, list_id = known
        deliver_all(database, tables, int(rows))
        with database.begin() as changing:
            changing.execute(sa.text(_VARIED))
            changing.execute(sa.text(_CALLS))
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("VACUUM FULL")  # no run leaves each row twice
        settle_down(dsn)
        measured = _measure(database, tables, list_id, Path(folder))
        database.dispose()
    sys.stdout.write(json.dumps({"rows": int(rows)} | measured, indent=1) + "\n")


def _measure(database: sa.Engine, tables: LedgerTables, list_id: int, folder: Path) -> dict[str, float]:
    views = SqlResultViews(database, TARGET, minutes=_MINUTES, advice=advice_by_code(ERROR_CODES.values()))
    small = SqlCallTables(
        database, TARGET, ledger=database, tables=tables, list_ids=[list_id], zone=ZoneInfo(DEFAULT_ZONE)
    )

    def report(figures: Figures) -> int:
        (folder / "report.html").write_text(page(figures, "Permits"), encoding="utf-8")
        return (folder / "report.png").write_bytes(poster(figures, "Permits"))

    figures = partial(read_figures, database, TARGET.table, minutes=_MINUTES, timezone=DEFAULT_ZONE)
    log = logging.getLogger("bench")
    began, cpu_began = time.perf_counter(), time.process_time()
    AnalyticsUpdate(views, small, figures=figures, report=report, log=log).run()
    seconds = {"update": time.perf_counter() - began, "update, CPU here": time.process_time() - cpu_began}
    began = time.perf_counter()
    small.fill()
    seconds["cost_by_day and calls_by_hour"] = time.perf_counter() - began
    for name in views.prepare():
        seconds[name], seconds[f"{name}, CPU"] = _seconds_of(database, f"SELECT * FROM {name}")  # noqa: S608
    return {name: round(each, 2) for name, each in seconds.items()}


def _seconds_of(database: sa.Engine, query: str) -> tuple[float, float]:
    """Return how long a query takes, and how long on a processor, which other programs do not change.

    All rows and columns are computed, by one process, and not sent.
    """
    with database.connect() as connection:
        connection.exec_driver_sql("SET max_parallel_workers_per_gather = 0")
        server = psutil.Process(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
        before = server.cpu_times()
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query}").scalar_one()
        after = server.cpu_times()
        connection.invalidate()
    return plan[0]["Execution Time"] / 1000, after.user + after.system - before.user - before.system


if __name__ == "__main__":
    main(*sys.argv[1:])
