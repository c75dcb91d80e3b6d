"""Puts together what finds out what an operator would do; nothing is created, written or called."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from airflow_provider_permitocr.engine.plan.planner import Planner
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
from airflow_provider_permitocr.wiring.result_table import open_result_table, require_image_list
from airflow_provider_permitocr.wiring.run import image_source, ocr_hook, run_options

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
    from airflow_provider_permitocr.engine.run.progress import Log
    from airflow_provider_permitocr.hooks.mainland_permit_ocr import MainlandPermitOcrHook
    from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator


@contextmanager
def open_planner(
    operator: MainlandPermitOcrOperator,
    identity: RunIdentity,
    stop: threading.Event,
    *,
    is_quick: bool,
    log: Log,
) -> Iterator[Planner]:
    """Open what the planner of a rendered operator uses; the end of the ``with`` closes it.

    :param identity: whose calls are counted already.
    :param is_quick: leave the images where they are.
    :raises ConfigurationError: naming what to change.
    """
    hook = ocr_hook(operator)
    patience = Patience(operator.batch.patience_seconds, stop)
    with closing(hook), SqlEngines() as engines:
        require_image_list(operator.source.conn_id)
        listed_in = engines.of(operator.source.conn_id)
        database_of(listed_in).require_file(listed_in, operator.source.conn_id)
        described = ledger_of(operator)
        ledger = SqlLedgerView(
            engines.of_ledger(described.conn_id),
            described,
            identity=list_identity(operator, resolved_targets(operator, engines, patience)),
            run=identity,
            shard=window_of(operator).shard,
            with_portrait=operator.with_portrait,
            patience=patience,
        )
        yield Planner(
            image_source(operator, engines, patience, ledger),
            hook.request_builder(),
            ledger,
            run_options(operator, hook),
            targets=[open_result_table(table, engines, patience) for table in operator.tables],
            calls_left=lambda: _calls_left(operator, hook, ledger),
            is_quick=is_quick,
            log=log,
            stop=stop,
        )


def _calls_left(
    operator: MainlandPermitOcrOperator, hook: MainlandPermitOcrHook, ledger: SqlLedgerView
) -> int | None:
    if not operator.budget.is_capped:
        return None
    return ledger.calls_left(operator.budget, hook.account())
