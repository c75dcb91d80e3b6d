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

import sqlalchemy as sa

from airflow_provider_permitocr.engine.analytics.analysis import Analysis
from airflow_provider_permitocr.engine.analytics.figures import Figures
from airflow_provider_permitocr.permit.advice import advice_by_code
from airflow_provider_permitocr.permit.quality.assessment import DEFAULT_ZONE
from airflow_provider_permitocr.report.page import page
from airflow_provider_permitocr.report.pictures import poster
from airflow_provider_permitocr.sql.analytics.call_tables import SqlCallTables
from airflow_provider_permitocr.sql.analytics.figures import read_figures
from airflow_provider_permitocr.sql.analytics.result_views import SqlResultViews
from airflow_provider_permitocr.tencent.decisions import ERROR_CODES
from labs.bench.programs.filled import deliver_all, fill_ledger, settle_down
from labs.bench.programs.stubbed import TARGET, engine
from labs.ground.servers.postgres import EmbeddedPostgres

_MINUTES: Final = 8 * 60
#: A million different people, some of them twice; a tenth of the images without an answer.
_VARIED: Final = """
UPDATE permits SET
    number = 'H' || lpad(CAST(n - n % 50 / 49 AS text), 8, '0'), issue_number = lpad(CAST(n % 4 AS text), 2, '0'),
    permit_kind = (ARRAY['taiwan', 'hong_kong_macao', 'exit_entry', NULL])[n % 4 + 1],
    processed_at = now() - n % 60 * interval '1 day' - n % 3600 * interval '1 second',
    valid_from = date '2015-01-01' + n % 2000, valid_until = current_date + n % 2000 - 200,
    status = CASE n % 10 WHEN 9 THEN 'failed' ELSE 'recognized' END,
    error_code = CASE n % 10 WHEN 9 THEN 'FailedOperation.ImageBlur' END,
    is_doubtful = n % 7 = 0, review_status = (ARRAY['confirmed', 'rejected', NULL, NULL])[n % 4 + 1],
    quality_flags = (ARRAY['[]', '["expired"]', '["expired", "name_mismatch"]', '["image_small"]'])[n % 4 + 1]
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
    """Fill a PostgreSQL of its own, and print the seconds of each view and of a whole update."""
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
        with database.begin() as connection:
            connection.execute(sa.text(_VARIED))
            connection.execute(sa.text(_CALLS))
        settle_down(dsn)
        measured = _measure(database, tables.calls, list_id, Path(folder))
        database.dispose()
    sys.stdout.write(json.dumps({"rows": int(rows)} | measured, indent=1) + "\n")


def _measure(database: sa.Engine, calls: sa.Table, list_id: int, folder: Path) -> dict[str, float]:
    views = SqlResultViews(database, TARGET, minutes=_MINUTES, advice=advice_by_code(ERROR_CODES.values()))
    small = SqlCallTables(
        database, TARGET, ledger=database, calls=calls, list_ids=[list_id], zone=ZoneInfo(DEFAULT_ZONE)
    )

    def report(figures: Figures) -> int:
        (folder / "report.html").write_text(page(figures, "Permits"), encoding="utf-8")
        return (folder / "report.png").write_bytes(poster(figures, "Permits"))

    figures = partial(read_figures, database, TARGET.table, minutes=_MINUTES, timezone=DEFAULT_ZONE)
    log = logging.getLogger("bench")
    began = time.perf_counter()
    Analysis(views, small, figures=figures, report=report, log=log).run()
    seconds = {"update": time.perf_counter() - began}
    began = time.perf_counter()
    small.fill()
    seconds["cost_by_day and calls_by_hour"] = time.perf_counter() - began
    for name in views.prepare():
        # All rows and columns are computed, and not sent.
        with database.connect() as connection:
            plan = connection.execute(
                sa.text(f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT * FROM {name}")
            ).scalar_one()
        seconds[name] = plan[0]["Execution Time"] / 1000
    return {name: round(each, 2) for name, each in seconds.items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
