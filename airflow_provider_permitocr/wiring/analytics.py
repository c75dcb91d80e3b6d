"""Puts together what keeps views, tables and the report of a result table up to date."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, BinaryIO
from zoneinfo import ZoneInfo

from airflow_provider_permitocr.engine.analytics.analysis import Analysis
from airflow_provider_permitocr.errors import ConfigurationError, TargetError, UnreachableError
from airflow_provider_permitocr.extras import install
from airflow_provider_permitocr.files.errors import FileError, file_errors
from airflow_provider_permitocr.options.targets.analytics import fixed_offset
from airflow_provider_permitocr.permit.advice import advice_by_code
from airflow_provider_permitocr.sql.analytics.call_tables import SqlCallTables, lists_of
from airflow_provider_permitocr.sql.analytics.figures import read_figures
from airflow_provider_permitocr.sql.analytics.result_views import SqlResultViews
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.dialects.known import connector_database_of, source_titles
from airflow_provider_permitocr.sql.ledger.lists.resolved import resolved_name
from airflow_provider_permitocr.sql.ledger.tables.preparation import require_place
from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables
from airflow_provider_permitocr.tencent.decisions import ERROR_CODES
from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines
from airflow_provider_permitocr.wiring.result_file import path_in_store, store_of
from airflow_provider_permitocr.wiring.result_table import connection_type

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.analytics.figures import Figures
    from airflow_provider_permitocr.engine.run.progress import Log
    from airflow_provider_permitocr.options.ledger import Ledger
    from airflow_provider_permitocr.options.targets.analytics import AnalyticsReport
    from airflow_provider_permitocr.options.targets.result_table import ResultTable


@contextmanager
def open_analysis(
    result: ResultTable,
    ledger: Ledger,
    report: AnalyticsReport | None,
    *,
    timezone: str,
    stop: threading.Event,
    log: Log,
) -> Iterator[Analysis]:
    """Open what keeps views, tables and the report up to date; leaving the ``with`` block closes it.

    :param timezone: a day begins at midnight in this time zone; its offset from UTC is fixed.
    :raises ConfigurationError: naming what to change.
    :raises DatabaseError: when a database cannot be reached.
    """
    connector = connector_database_of(connection_type(result.conn_id))
    if connector is not None:
        raise TargetError(
            f"views for analysts are not made in {connector.title}; use a result table in one of:"
            f" {source_titles()}"
        )
    patience, minutes = Patience(stop=stop), fixed_offset(timezone)
    write = _report_writer(report) if report else None
    with SqlEngines() as engines:
        engine, ledger_engine = engines.of(result.conn_id), engines.of(ledger.conn_id)
        require_place(ledger_engine)
        views = partial(
            SqlResultViews,
            *(engine, result),
            minutes=minutes,
            advice=advice_by_code(ERROR_CODES.values()),
            patience=patience,
        )
        views().check()  # before the ledger is read, so that a missing first run is reported as such
        named = resolved_name(engine, result, patience.at_first())
        lists = lists_of(ledger_engine, ledger, result, named, patience.at_first())
        tables = SqlCallTables(
            *(engine, result),
            ledger=ledger_engine,
            tables=ledger_tables(ledger.name),
            list_ids=lists.list_ids,
            zone=ZoneInfo(timezone),
            patience=patience,
        )
        figures = partial(
            read_figures, engine, result.table, minutes=minutes, timezone=timezone, patience=patience
        )
        yield Analysis(views(key_type=lists.key_type), tables, figures=figures, report=write, log=log)


def _report_writer(report: AnalyticsReport) -> Callable[[Figures], int]:
    """Return what writes the page and its PNG.

    :raises ConfigurationError: when the extra is missing, or the place cannot be written to.
    """
    if find_spec("matplotlib") is None:
        raise ConfigurationError(f"a report needs the extra report; on the worker, run: {install('report')}")
    store = store_of(report.path, report.conn_id, report.file_mode)
    with _report_errors(report):
        store.check_place(path_in_store(report.path))

    def write(figures: Figures) -> int:
        from airflow_provider_permitocr.report.page import page
        from airflow_provider_permitocr.report.pictures import poster

        files = {
            report.picture_path: poster(figures, report.title),
            report.path: page(figures, report.title).encode(),
        }
        for path, content in files.items():
            in_store = path_in_store(path)
            with _report_errors(report):
                store.clean(in_store)
                store.put(in_store, partial(_write, content))
        return len(files)

    return write


def _write(content: bytes, stream: BinaryIO) -> None:
    stream.write(content)


@contextmanager
def _report_errors(report: AnalyticsReport) -> Iterator[None]:
    try:
        with file_errors(f"writing the report {report.path!r}"):
            yield
    except FileError as error:
        raise UnreachableError(str(error)) from None
