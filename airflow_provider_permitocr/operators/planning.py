"""Puts together what finds out what an operator would do; nothing is created, written or called."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_permitocr.core.planner import Planner
from airflow_provider_permitocr.hooks.sql_engine import SqlEngines
from airflow_provider_permitocr.operators.assembly import (
    ocr_hook,
    rendered_shard,
    result_beside_list,
    run_options,
    same_images,
)
from airflow_provider_permitocr.operators.result_targets import file_target
from airflow_provider_permitocr.sql.database_file import missing_file, require_file
from airflow_provider_permitocr.sql.image_source import SqlImageSource
from airflow_provider_permitocr.sql.patience import Patience
from airflow_provider_permitocr.sql.result_target import SqlResultTarget
from airflow_provider_permitocr.sql.tables import ResultTable

if TYPE_CHECKING:
    from airflow_provider_permitocr.core.calls import RunIdentity
    from airflow_provider_permitocr.core.ports import ReadOnlyResults, SameImages
    from airflow_provider_permitocr.core.progress import Log
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
        list_engine = engines.of(operator.source.conn_id)
        require_file(list_engine, operator.source.conn_id)
        yield Planner(
            SqlImageSource(
                list_engine,
                operator.source,
                shard=rendered_shard(operator),
                settled_in=result_beside_list(operator),
                patience=patience,
            ),
            hook.image_loader(),
            _results(operator, engines, patience),
            run_options(operator, hook),
            same_images=_same_images(operator, engines, stop),
            calls_left=partial(_calls_left, operator, hook, engines, identity),
            is_quick=is_quick,
            log=log,
            stop=stop,
        )


def _results(operator: MainlandPermitOcrOperator, engines: SqlEngines, patience: Patience) -> ReadOnlyResults:
    target = operator.target
    if isinstance(target, ResultTable):
        return SqlResultTarget(engines.of(target.conn_id), target, patience=patience)
    return file_target(target, shard=rendered_shard(operator), run_id="")


def _same_images(
    operator: MainlandPermitOcrOperator, engines: SqlEngines, stop: threading.Event
) -> SameImages | None:
    target = operator.target
    if isinstance(target, ResultTable) and missing_file(engines.of(target.conn_id)) is not None:
        return None
    return same_images(operator, engines, stop)


def _calls_left(
    operator: MainlandPermitOcrOperator,
    hook: MainlandPermitOcrHook,
    engines: SqlEngines,
    identity: RunIdentity,
) -> int | None:
    spending, ledger = operator.spending, operator.calls_table
    if ledger is None or not spending.is_capped:
        return None
    engine = engines.of(ledger.conn_id)
    if missing_file(engine) is not None:
        return spending.calls_left(day=0, run=0)
    from airflow_provider_permitocr.sql.budget import calls_so_far
    from airflow_provider_permitocr.sql.errors import database_errors

    account = hook.account()
    with database_errors(f"reading what {ledger.table!r} counts"), engine.connect() as connection:
        so_far = calls_so_far(
            connection,
            ledger,
            account=account,
            run=identity,
            spending=spending,
            now=datetime.now(UTC),
        )
    return spending.calls_left(day=so_far.day, run=so_far.run)
