"""Assembles a run from a task's arguments; connections are only looked up here."""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.engine.ledger.journal import FileJournal
from airflow_provider_permitocr.engine.observer import Observers
from airflow_provider_permitocr.engine.ports import Ports
from airflow_provider_permitocr.engine.run.pipeline import Pipeline
from airflow_provider_permitocr.errors import ConfigurationError, PermitOcrError
from airflow_provider_permitocr.options.run import RunOptions
from airflow_provider_permitocr.options.task import TaskOptions
from airflow_provider_permitocr.permit.privacy import Protection
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.ledger.reading import LedgerReader
from airflow_provider_permitocr.sql.ledger.sql_ledger import LedgerRun, SqlLedger
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from airflow_provider_permitocr.wiring.cloud import TencentCloud
from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines
from airflow_provider_permitocr.wiring.identity import (
    ledger_of,
    list_identity,
    rendered_shard,
    resolved_targets,
    window_of,
)
from airflow_provider_permitocr.wiring.monitoring.metrics import RunMetrics
from airflow_provider_permitocr.wiring.monitoring.traces import RunSpans
from airflow_provider_permitocr.wiring.privacy import disclosure_of
from airflow_provider_permitocr.wiring.result_file import open_due_file, open_result_file
from airflow_provider_permitocr.wiring.result_table import (
    ResultTarget,
    open_result_table,
    require_image_list,
)

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
    from airflow_provider_permitocr.engine.observer import RunObserver
    from airflow_provider_permitocr.engine.ports import PermitClient
    from airflow_provider_permitocr.engine.run.progress import Log
    from airflow_provider_permitocr.files.rows_file import StoredRowsFile

#: Account of calls whose keys have no known owner.
_UNKNOWN_ACCOUNT: Final = "unknown"

_log = logging.getLogger(__name__)


@contextmanager
def open_pipeline(
    task: TaskOptions, identity: RunIdentity, stop: threading.Event, *observers: RunObserver, log: Log
) -> Iterator[Pipeline]:
    """Open everything that a task's pipeline uses; leaving the ``with`` block closes it.

    :param observers: are notified of the run, in addition to metrics and traces.
    :raises ConfigurationError: naming what to change.
    """
    cloud = cloud_of(task)
    options = run_options(task, cloud)
    with (
        RunSpans() as spans,
        closing(cloud),
        cloud.client() as client,
        SqlEngines() as engines,
    ):
        ports = _ports(task, identity, engines, cloud, client, stop)
        watching = Observers([RunMetrics(identity), spans, *observers])
        yield Pipeline(replace(ports, observers=watching), options, log=log, stop=stop)


def _ports(
    task: TaskOptions,
    identity: RunIdentity,
    engines: SqlEngines,
    cloud: TencentCloud,
    client: PermitClient,
    stop: threading.Event,
) -> Ports:
    patience = Patience(task.batch.patience_seconds, stop)
    session_id = uuid.uuid4().hex
    names = resolved_targets(task, engines, patience)
    files = rows_files(task)
    disclosure = disclosure_of(task)
    described = ledger_of(task)
    ledger = SqlLedger(
        engines.of_ledger(described.conn_id),
        described,
        LedgerRun(
            identity=list_identity(task, names),
            account=_account(task, cloud),
            run=identity,
            window=window_of(task),
            budget=cloud.priced(task.budget),
            files=tuple(file.due for file in files),
            call_seconds=cloud.client_options.call_timeout,
            disclosure=disclosure,
            session_id=session_id,
        ),
        patience=patience,
    )
    return Ports(
        source=image_source(task, engines, patience, ledger, protection=disclosure.reading.protection),
        request_builder=cloud.request_builder(),
        client=client,
        ledger=ledger,
        journal=journal_of(task, session_id),
        tables=result_targets(task, engines, names, stop),
        files=files,
        open_file=open_due_file,
        reading=disclosure.reading,
        portraits=disclosure.portraits,
    )


def image_source(
    task: TaskOptions,
    engines: SqlEngines,
    patience: Patience,
    ledger: LedgerReader,
    *,
    protection: Protection = Protection(),
) -> SqlImageSource:
    """Return the list of a rendered task.

    :param ledger: images that it has settled are left out if it is in the list's database.
    :param protection: how copied columns are protected.
    :raises ConfigurationError: when its connection is missing, or not of a SQL database.
    """
    conn_id = task.source.conn_id
    require_image_list(conn_id)
    return SqlImageSource(
        engines.of(conn_id),
        task.source,
        shard=rendered_shard(task),
        settled_in=ledger.where if ledger_of(task).conn_id == conn_id else None,
        window=window_of(task),
        patience=patience,
        protection=protection,
        declared=tuple(task.quality.declared_columns.values()),
    )


def result_targets(
    task: TaskOptions, engines: SqlEngines, names: Sequence[str], stop: threading.Event
) -> dict[str, ResultTarget]:
    """Return the result tables of a rendered task, by their names in the ledger.

    A delivery that fails is tried again by its own thread, which calls do not wait for.

    :raises ConfigurationError: when a connection is missing, or is of no SQL database.
    """
    return {
        name: open_result_table(table, engines, Patience(0, stop))
        for name, table in zip(names, task.tables, strict=True)
    }


def rows_files(task: TaskOptions) -> list[StoredRowsFile]:
    """Return the files that a task writes.

    :raises ConfigurationError: when there is no such connection, or no file system for a URL.
    """
    shard = rendered_shard(task)
    try:
        return [open_result_file(file.of_shard(shard)) for file in task.files]
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def journal_of(task: TaskOptions, session_id: str) -> FileJournal:
    """Return the journal of a process, by default in ``permitocr_journal`` in ``AIRFLOW_HOME``."""
    # As Airflow itself looks for it.
    home = Path(os.path.expandvars(os.environ.get("AIRFLOW_HOME", "~/airflow"))).expanduser()
    folder = Path(task.journal) if task.journal else home / "permitocr_journal"
    return FileJournal(folder, session_id=session_id)


def cloud_of(task: TaskOptions) -> TencentCloud:
    """Return the account of a task; nothing is looked up yet."""
    return TencentCloud(
        task.tencentcloud_conn_id,
        with_portrait=task.portraits is not None,
        images=task.images,
        max_per_second=task.max_per_second,
        max_in_flight=task.max_in_flight,
        call_retry=task.call_retry,
    )


def run_options(task: TaskOptions, cloud: TencentCloud) -> RunOptions:
    """Return the options of a task's run, with what its connection adds to them.

    :raises ConfigurationError: naming what to change.
    """
    shard = rendered_shard(task)
    return replace(
        cloud.run_options(task.pool_slots, phase=shard.phase if shard else None),
        batch=task.batch,
        max_runs_per_image=task.max_runs_per_image,
        failure_limits=task.failure_limits,
        budget=cloud.priced(task.budget),
        reuse_identical=task.reuse_identical,
        leftovers=task.leftovers,
        redo=task.redo,
    )


def _account(task: TaskOptions, cloud: TencentCloud) -> str:
    if task.budget.is_capped:
        return cloud.account()  # calls are counted for each account
    try:
        return cloud.account()
    except PermitOcrError as error:
        _log.info("Calls are recorded without their account: %s", error)
        return _UNKNOWN_ACCOUNT
