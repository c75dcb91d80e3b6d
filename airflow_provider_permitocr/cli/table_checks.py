"""Looks at the image list and the result table, without changing either of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_permitocr.cli.findings import Finding, ImageList, Verdict, is_template
from airflow_provider_permitocr.core.errors import PermitOcrError
from airflow_provider_permitocr.sql.calls_table import CallsTable
from airflow_provider_permitocr.sql.tables import ImageQuery, ImageTable, ResultTable

if TYPE_CHECKING:
    from sqlalchemy import Engine

_LIST, _RESULT, _LEDGER = "image list", "result table", "call ledger"


def check_image_list(source: ImageList) -> list[Finding]:
    """Check that an image list can be read as described, as a run does before its first call."""
    templated = _templated(source)
    findings = [_unchecked(_LIST, templated)] if templated else []
    if "conn_id" in templated:
        return findings
    return [_find(_LIST, source.conn_id, lambda engine: _read_list(engine, source, templated)), *findings]


def check_result_table(target: ResultTable) -> list[Finding]:
    """Check that a result table can take the rows, or can be created."""
    templated = _templated(target)
    findings = [_unchecked(_RESULT, templated)] if templated else []
    if "conn_id" in templated:
        return findings
    return [_find(_RESULT, target.conn_id, lambda engine: _read_result(engine, target, templated)), *findings]


def check_calls_table(ledger: CallsTable) -> list[Finding]:
    """Check that a ledger can be written, or can be created."""
    if templated := _templated(ledger):
        return [_unchecked(_LEDGER, templated)]
    return [_find(_LEDGER, ledger.conn_id, lambda engine: _read_ledger(engine, ledger))]


def _read_list(engine: Engine, source: ImageList, templated: list[str]) -> str:
    from airflow_provider_permitocr.sql.database_file import require_file
    from airflow_provider_permitocr.sql.errors import database_errors
    from airflow_provider_permitocr.sql.image_source import SqlImageSource
    from airflow_provider_permitocr.sql.listing import open_listing

    require_file(engine, source.conn_id)
    named = f"the SELECT on {source.conn_id}" if isinstance(source, ImageQuery) else _named(source)
    if not templated:
        return f"{named}: {SqlImageSource(engine, source).check():,} images"
    with database_errors("reading the image list"), engine.connect() as connection:
        if isinstance(source, ImageTable) and "table" not in templated:
            # Without its bounds the whole table would be counted, and keys may well be twice in there.
            open_listing(connection, replace(source, since=None, until=None))
            return f"{named} has the columns"
    return f"connection {source.conn_id} answers"


def _read_result(engine: Engine, target: ResultTable, templated: list[str]) -> str:
    from airflow_provider_permitocr.sql.database_file import missing_file
    from airflow_provider_permitocr.sql.errors import database_errors
    from airflow_provider_permitocr.sql.result_target import SqlResultTarget

    if (file := missing_file(engine)) is not None:
        return f"{_named(target)} is not there yet, nor is its file {file}; the first run creates both"
    if "table" in templated:
        with database_errors("reading the result table"), engine.connect():
            return f"connection {target.conn_id} answers"
    if SqlResultTarget(engine, target).check():
        return f"{_named(target)} can take the rows"
    return _not_there_yet(target)


def _read_ledger(engine: Engine, ledger: CallsTable) -> str:
    from airflow_provider_permitocr.sql.database_file import missing_file
    from airflow_provider_permitocr.sql.errors import database_errors
    from airflow_provider_permitocr.sql.ledger_preparation import check_tables

    if (file := missing_file(engine)) is not None:
        return f"{_named(ledger)} is not there yet, nor is its file {file}; the first run creates both"
    with database_errors("looking at the call ledger"):
        is_there = check_tables(engine, ledger)
    return f"{_named(ledger)} can be written" if is_there else _not_there_yet(ledger)


def _not_there_yet(described: ResultTable | CallsTable) -> str:
    return f"{_named(described)} is not there yet; the first run creates it"


def _find(subject: str, conn_id: str, look: Callable[[Engine], str]) -> Finding:
    try:
        with _engine(conn_id) as engine:
            return Finding(Verdict.OK, subject, look(engine))
    except PermitOcrError as error:
        return Finding(Verdict.WRONG, subject, str(error))
    except Exception as error:  # noqa: BLE001  hooks and drivers of any provider fail in ways of their own
        # Their own words stay out, but of those about an import: URLs with passwords are among them.
        words = f": {error}" if isinstance(error, ImportError) else ""
        return Finding(
            Verdict.WRONG,
            subject,
            f"the hook of connection {conn_id!r} failed with {type(error).__name__}{words}",
            remedy="install the provider and driver of this connection's type, or correct the connection",
        )


@contextmanager
def _engine(conn_id: str) -> Iterator[Engine]:
    from airflow_provider_permitocr.hooks.sql_engine import sql_engine

    engine = sql_engine(conn_id)
    try:
        yield engine
    finally:
        engine.dispose()


def _templated(described: ImageList | ResultTable | CallsTable) -> list[str]:
    names = [name for name in described.template_fields if is_template(getattr(described, name))]
    if isinstance(described, ImageQuery):
        names += [f"parameter {name}" for name, value in described.parameters.items() if is_template(value)]
    return names


def _unchecked(subject: str, templated: list[str]) -> Finding:
    return Finding(Verdict.UNCHECKED, subject, f"{', '.join(templated)}: templated, so known only in a run")


def _named(described: ImageTable | ResultTable | CallsTable) -> str:
    return f"{described.table} on {described.conn_id}"
