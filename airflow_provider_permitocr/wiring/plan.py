"""Assembles what plans a task's run; nothing is created, written or called."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from airflow_provider_permitocr.engine.plan.planner import Planner
from airflow_provider_permitocr.options.task import TaskOptions
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.view import SqlLedgerView
from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines
from airflow_provider_permitocr.wiring.identity import (
    ledger_of,
    list_identity,
    resolved_targets,
    window_of,
)
from airflow_provider_permitocr.wiring.privacy import disclosure_of
from airflow_provider_permitocr.wiring.result_table import open_result_table, require_image_list
from airflow_provider_permitocr.wiring.run import cloud_of, image_source, run_options

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
    from airflow_provider_permitocr.engine.run.progress import Log
    from airflow_provider_permitocr.wiring.cloud import TencentCloud


@contextmanager
def open_planner(
    task: TaskOptions,
    identity: RunIdentity,
    stop: threading.Event,
    *,
    is_quick: bool,
    log: Log,
) -> Iterator[Planner]:
    """Open what a task's planner uses; leaving the ``with`` block closes it.

    :param identity: the caller, whose earlier calls count.
    :param is_quick: don't open images.
    :raises ConfigurationError: naming what to change.
    """
    cloud = cloud_of(task)
    patience = Patience(task.batch.patience_seconds, stop)
    with closing(cloud), SqlEngines() as engines:
        require_image_list(task.source.conn_id)
        listed_in = engines.of(task.source.conn_id)
        database_of(listed_in).require_file(listed_in, task.source.conn_id)
        described, disclosure = ledger_of(task), disclosure_of(task)
        ledger = SqlLedgerView(
            engines.of_ledger(described.conn_id),
            described,
            identity=list_identity(task, resolved_targets(task, engines, patience)),
            run=identity,
            shard=window_of(task).shard,
            disclosure=disclosure,
            patience=patience,
        )
        yield Planner(
            image_source(task, engines, patience, ledger),
            cloud.request_builder(),
            ledger,
            run_options(task, cloud),
            look_at_tables=[open_result_table(table, engines, patience).look for table in task.tables],
            calls_left=lambda: _calls_left(task, cloud, ledger),
            is_quick=is_quick,
            protection=disclosure.reading.protection,
            log=log,
            stop=stop,
        )


def _calls_left(task: TaskOptions, cloud: TencentCloud, ledger: SqlLedgerView) -> int | None:
    if not task.budget.is_capped:
        return None
    return ledger.calls_left(task.budget, cloud.account())
