"""What a task's run, list and targets are called, in the ledger and in their databases."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.engine.run.window import Window
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.options.ledger import Ledger, beside
from airflow_provider_permitocr.options.lists.image_list import ImageTable
from airflow_provider_permitocr.options.lists.shard import Shard
from airflow_provider_permitocr.options.targets.result_table import ResultTable
from airflow_provider_permitocr.options.task import TaskOptions
from airflow_provider_permitocr.sql.database.failures import DatabaseUnreachableError
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.ledger.lists.lists import ListIdentity, target_name
from airflow_provider_permitocr.sql.ledger.tables.schema import LONGEST_NAME, ledger_tables
from airflow_provider_permitocr.sql.source.times import read_time
from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines
from airflow_provider_permitocr.wiring.result_table import known_table_name, result_table_name

if TYPE_CHECKING:
    from airflow.sdk import Context

_log = logging.getLogger(__name__)


def run_identity(context: Context) -> RunIdentity:
    """Return the caller's identity."""
    run_id = str(context.get("run_id", ""))
    instance = context.get("ti")
    if instance is None:
        return RunIdentity(run_id=run_id)
    return RunIdentity(
        dag_id=str(instance.dag_id),
        task_id=str(instance.task_id),
        run_id=run_id,
        map_index=-1 if instance.map_index is None else int(instance.map_index),
        try_number=int(instance.try_number),
    )


def window_of(task: TaskOptions) -> Window:
    """Return which part of its list a task reads."""
    source, shard = task.source, rendered_shard(task)
    part = str(shard) if shard else None
    if isinstance(source, ImageTable):
        return Window(_moment(source.since), _moment(source.until), part)
    return Window(shard=part, is_repeatable=task.is_same_list)


def ledger_of(task: TaskOptions) -> Ledger:
    """Return the ledger that a task was given, or the one beside its result tables."""
    if task.ledger is not None:
        return task.ledger
    assert task.tables, "a file is given a ledger"
    return beside(task.tables[0])


def resolved_targets(
    task: TaskOptions, engines: SqlEngines, patience: Patience = Patience(0)
) -> tuple[str, ...]:
    """Return which tables their databases find by the names of a task's targets.

    A database that is down is not queried if the ledger knows its table: calls continue without it.

    :raises ConfigurationError: when a connection is missing, or is of no SQL database.
    :raises DatabaseError: when a database cannot be reached, and the ledger does not know its table.
    """
    return tuple(_resolved(task, table, engines, patience.at_first()) for table in task.tables)


def _resolved(task: TaskOptions, table: ResultTable, engines: SqlEngines, patience: Patience) -> str:
    try:
        return result_table_name(table, engines, patience)
    except DatabaseUnreachableError as error:
        described = ledger_of(task)
        if described.conn_id == table.conn_id:
            raise
        ledger = engines.of_ledger(described.conn_id)
        known = known_table_name(table, ledger, ledger_tables(described.name))
        if known is None:
            raise
        _log.warning("%s. The ledger knows the table as %r; calls continue without it", error, known)
        return known


def list_identity(task: TaskOptions, resolved: Sequence[str] | None = None) -> ListIdentity:
    """Return a task's list as the ledger identifies it.

    :param resolved: as ``resolved_targets`` names its tables; None: as written, which must not be used to
        identify a run's list.
    """
    source = task.source
    written = tuple(target_name(table) for table in task.tables)
    default = task.file_list or "".join(written[:1])
    return ListIdentity(
        name=_short(task.list or default),
        is_default_name=task.list is None,
        source_conn_id=source.conn_id,
        source_table=source.table if isinstance(source, ImageTable) else None,
        key_column=source.key,
        targets=written if resolved is None else tuple(resolved),
    )


def rendered_shard(task: TaskOptions) -> Shard | None:
    """Return the shard of a rendered task, if it has one.

    :raises ConfigurationError: when it is invalid.
    """
    try:
        return Shard.parse(task.shard) if task.shard else None
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def _short(name: str) -> str:
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 65]} {hashlib.sha256(name.encode()).hexdigest()}"


def _moment(value: object) -> datetime | None:
    try:
        return read_time(value)
    except ValueError:
        return None
