"""Puts together what keeps views, tables and the report of a result table up to date."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from operator import methodcaller
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from airflow_provider_permitocr.errors import ConfigurationError, TargetError, UnreachableError
from airflow_provider_permitocr.extras import install
from airflow_provider_permitocr.files.errors import FileError, file_errors
from airflow_provider_permitocr.options.targets.analytics import fixed_offset
from airflow_provider_permitocr.options.targets.result_table import split_schema
from airflow_provider_permitocr.permit.advice import advice_by_code
from airflow_provider_permitocr.sql.analytics.call_tables import SqlCallTables, lists_of
from airflow_provider_permitocr.sql.analytics.definitions import OF_LEDGERS
from airflow_provider_permitocr.sql.analytics.figures import read_figures
from airflow_provider_permitocr.sql.analytics.result_views import SqlResultViews
from airflow_provider_permitocr.sql.analytics.update import AnalyticsUpdate, Analyzed
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.dialects.dataset import located
from airflow_provider_permitocr.sql.dialects.known import connector_database_of, source_titles
from airflow_provider_permitocr.sql.ledger.lists.resolved import resolved_name
from airflow_provider_permitocr.sql.ledger.tables.preparation import require_place
from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables
from airflow_provider_permitocr.tencent.decisions import ERROR_CODES
from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines
from airflow_provider_permitocr.wiring.monitoring.lineage import Trail, trail_of_analysis
from airflow_provider_permitocr.wiring.result_file import path_in_store, store_of
from airflow_provider_permitocr.wiring.result_table import connection_type

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.analytics.figures import Figures
    from airflow_provider_permitocr.engine.run.progress import Log
    from airflow_provider_permitocr.options.ledger import Ledger
    from airflow_provider_permitocr.options.targets.analytics import AnalyticsReport
    from airflow_provider_permitocr.options.targets.result_table import ResultTable
    from airflow_provider_permitocr.permit.columns import Column


@dataclass(frozen=True)
class OpenAnalysis:
    """An update of analytics, and what asset events and lineage call what it reads and writes.

    :param result: the result table, by its name in ledgers: ``conn_id:schema.table``.
    :param conn_id: connection of the result table.
    :param ledger_conn_id: connection of the ledger.
    :param calls: the ledger's table of calls, with its schema.
    """

    update: AnalyticsUpdate
    result: str
    conn_id: str
    ledger_conn_id: str
    calls: str

    def delivered(self, done: Analyzed) -> dict[str, int]:
        """Return the rows of the small tables, by target."""
        place = self.result.removesuffix(split_schema(self.result)[1])
        return {f"{place}{split_schema(name)[1]}": rows for name, rows in done.tables.items()}

    def trail(self, done: Analyzed) -> Trail:
        """Return what it has read and written.

        :raises ConfigurationError: when a connection is gone.
        """
        columns: Mapping[str, Sequence[Column]] = {each.suffix: each.columns for each in OF_LEDGERS}
        delivered = self.delivered(done)
        return trail_of_analysis(
            self.conn_id,
            {self.result.removeprefix(f"{self.conn_id}:"): self.conn_id, self.calls: self.ledger_conn_id},
            {
                target: next(of for suffix, of in columns.items() if target.endswith(suffix))
                for target in delivered
            },
            delivered,
        )


@contextmanager
def open_analysis(
    result: ResultTable,
    ledger: Ledger,
    report: AnalyticsReport | None,
    *,
    timezone: str,
    stop: threading.Event,
    log: Log,
) -> Iterator[OpenAnalysis]:
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
        yield OpenAnalysis(
            AnalyticsUpdate(views(key_type=lists.key_type), tables, figures=figures, report=write, log=log),
            result=named,
            conn_id=result.conn_id,
            ledger_conn_id=ledger.conn_id,
            calls=located(ledger_engine, ledger_tables(ledger.name).calls.fullname),
        )


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
                store.put(in_store, methodcaller("write", content))
        return len(files)

    return write


@contextmanager
def _report_errors(report: AnalyticsReport) -> Iterator[None]:
    try:
        with file_errors(f"writing the report {report.path!r}"):
            yield
    except FileError as error:
        raise UnreachableError(str(error)) from None
