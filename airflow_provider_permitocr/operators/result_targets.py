"""Where an operator's result goes: a table, a table with an export beside it, or a file."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from airflow_provider_permitocr.core.errors import ConfigurationError
from airflow_provider_permitocr.files.result_file import ResultFile

if TYPE_CHECKING:
    from airflow_provider_permitocr.core.ports import ResultTarget
    from airflow_provider_permitocr.core.shard import Shard
    from airflow_provider_permitocr.files.file_target import FileResultTarget
    from airflow_provider_permitocr.files.store import StoredFile
    from airflow_provider_permitocr.hooks.sql_engine import SqlEngines
    from airflow_provider_permitocr.sql.patience import Patience
    from airflow_provider_permitocr.sql.tables import ImageQuery, ImageTable, ResultTable


def result_target(
    engines: SqlEngines,
    source: ImageTable | ImageQuery,
    target: ResultTable | ResultFile,
    export: ResultFile | None,
    *,
    shard: Shard | None,
    run_id: str,
    stop: threading.Event,
    patience: Patience,
) -> ResultTarget:
    """Return what the pipeline writes to; nothing is written yet.

    :param export: the file beside a table, if any.
    :param run_id: the same for all tries of a run.
    :param stop: ends an export early.
    :param patience: how long to wait for the databases.
    :raises ConfigurationError: when a connection or a file system is missing.
    """
    if isinstance(target, ResultFile):
        return file_target(target, shard=shard, run_id=run_id)
    from airflow_provider_permitocr.sql.result_target import SqlResultTarget

    engine = engines.of(target.conn_id)
    table = SqlResultTarget(engine, target, patience=patience)
    if export is None:
        return table
    from airflow_provider_permitocr.core.export import ExportedTarget
    from airflow_provider_permitocr.files.table_export import TableExport
    from airflow_provider_permitocr.sql.image_source import SqlImageSource
    from airflow_provider_permitocr.sql.result_rows import SqlResultRows

    return ExportedTarget(
        table,
        # Another than the pipeline's, which may leave out what is settled.
        SqlImageSource(engines.of(source.conn_id), source, shard=shard, patience=patience),
        SqlResultRows(engine, target, patience=patience),
        TableExport(_stored_file(export, shard)),
        stop=stop,
    )


def file_target(target: ResultFile, *, shard: Shard | None, run_id: str) -> FileResultTarget:
    """Return the file that takes the place of a result table; nothing is written yet.

    :param run_id: the same for all tries of a run.
    :raises ConfigurationError: when a connection or a file system is missing.
    """
    from airflow_provider_permitocr.files.file_target import FileResultTarget

    return FileResultTarget(_stored_file(target, shard), run=run_id)


def _stored_file(described: ResultFile, shard: Shard | None) -> StoredFile:
    from airflow_provider_permitocr.hooks.result_file import stored_file

    try:
        return stored_file(described.of_shard(shard))
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
