"""Looks at the image list, result tables and result files, without changing any of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_permitocr.cli.checks.database_checks import (
    find,
    find_out,
    look_at,
    templated,
    templated_finding,
)
from airflow_provider_permitocr.cli.checks.findings import Finding, ImageList, wrong
from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.options.lists.image_list import ImageQuery, ImageTable
from airflow_provider_permitocr.options.lists.shard import Shard
from airflow_provider_permitocr.options.targets.result_file import ResultFile
from airflow_provider_permitocr.options.targets.result_table import ResultTable

if TYPE_CHECKING:
    from sqlalchemy import Engine

_LIST, _RESULT, _FILE = "image list", "result table", "result file"


def check_image_list(source: ImageList) -> list[Finding]:
    """Check that an image list can be read as described, as in a run before its first call."""
    names = templated(source)
    findings = [templated_finding(_LIST, names)] if names else []
    if "conn_id" in names:
        return findings
    from airflow_provider_permitocr.wiring.result_table import require_image_list

    found = find(
        _LIST, source.conn_id, lambda engine: _read_list(engine, source, names), require=require_image_list
    )
    return [found, *findings]


def check_result_table(target: ResultTable) -> list[Finding]:
    """Check that a result table can take the rows, or can be created."""
    names = templated(target)
    findings = [templated_finding(_RESULT, names)] if names else []
    if "conn_id" in names:
        return findings
    return [find_out(_RESULT, target.conn_id, lambda: _read_result(target, names)), *findings]


def check_result_file(described: ResultFile, shard: str | None) -> list[Finding]:
    """Check that a file can be written, as far as possible without writing: its place, its format.

    :param shard: the shard that writes it, if known before a run.
    """
    if names := templated(described):
        return [templated_finding(_FILE, names), *_without_package(described)]
    return [look_at(_FILE, lambda: _look_at_file(described, shard))]


def _read_list(engine: Engine, source: ImageList, names: list[str]) -> str:
    from airflow_provider_permitocr.sql.database.failures import database_errors
    from airflow_provider_permitocr.sql.dialects.known import database_of
    from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
    from airflow_provider_permitocr.sql.source.open_listing import open_listing

    database_of(engine).require_file(engine, source.conn_id)
    named = f"the SELECT on {source.conn_id}" if isinstance(source, ImageQuery) else _named(source)
    if not names:
        return f"{named}: {many(SqlImageSource(engine, source).check(), 'image')}"
    with database_errors("reading the image list"), engine.connect() as connection:
        if isinstance(source, ImageTable) and "table" not in names:
            # Without its bounds the whole table would be counted, and keys may well be twice in there.
            open_listing(connection, replace(source, since=None, until=None))
            return f"{named} has the columns"
    return f"connection {source.conn_id} answers"


def _read_result(target: ResultTable, names: list[str]) -> str:
    from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines
    from airflow_provider_permitocr.wiring.result_table import open_result_table

    with SqlEngines() as engines:
        table = open_result_table(target, engines)
        if (file := table.missing_file()) is not None:
            return f"{_named(target)} and its file {file} do not exist yet; the first run creates both"
        if "table" in names:
            table.connect()
            return f"connection {target.conn_id} answers"
        if table.check():
            return f"{_named(target)} can take the rows"
        return _not_there_yet(target)


def _not_there_yet(described: ResultTable) -> str:
    return f"{_named(described)} does not exist yet; the first run creates it"


def _named(described: ImageTable | ResultTable) -> str:
    return f"{described.table} on {described.conn_id}"


def _without_package(described: ResultFile) -> list[Finding]:
    """Find packages that a format needs; its suffix is mostly visible even in a template."""
    from airflow_provider_permitocr.files.row_format import row_format

    try:
        row_format(described).check()
    except ConfigurationError as error:
        return [wrong(_FILE, str(error))]
    except ValueError:  # the suffix is known only in a run
        return []
    return []


def _look_at_file(described: ResultFile, shard: str | None) -> str:
    from airflow_provider_permitocr.wiring.result_file import open_result_file

    if shard is not None:
        described = described.of_shard(Shard.parse(shard))
    if open_result_file(described).check():
        return f"{described.path} exists; a run replaces it"
    return f"{described.path} does not exist yet; the first run writes it"
