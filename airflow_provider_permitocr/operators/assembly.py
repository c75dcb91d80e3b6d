"""Puts a run together from what an operator was given: connections are looked up here, and no sooner."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_permitocr.core.calls import RunIdentity
from airflow_provider_permitocr.core.errors import ConfigurationError
from airflow_provider_permitocr.core.options import RunOptions
from airflow_provider_permitocr.core.pipeline import Pipeline
from airflow_provider_permitocr.core.ports import LedgerTable, Ports, SameImages
from airflow_provider_permitocr.core.shard import Shard
from airflow_provider_permitocr.files.result_file import ResultFile
from airflow_provider_permitocr.hooks.mainland_permit_ocr import MainlandPermitOcrHook
from airflow_provider_permitocr.hooks.spill import file_spill
from airflow_provider_permitocr.hooks.sql_engine import SqlEngines
from airflow_provider_permitocr.operators.result_targets import result_target
from airflow_provider_permitocr.sql.image_source import SqlImageSource
from airflow_provider_permitocr.sql.patience import Patience
from airflow_provider_permitocr.sql.tables import ResultTable

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator


def run_identity(context: Context) -> RunIdentity:
    """Tell whose calls these are."""
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


@contextmanager
def open_pipeline(
    operator: MainlandPermitOcrOperator, identity: RunIdentity, stop: threading.Event
) -> Iterator[Pipeline]:
    """Open everything that the pipeline of a rendered operator uses; the end of the ``with`` closes it.

    :raises ConfigurationError: naming what to change.
    """
    hook = ocr_hook(operator)
    options = run_options(operator, hook)
    shard = rendered_shard(operator)
    patience = Patience(operator.batch.patience_seconds, stop)
    with closing(hook), hook.client() as client, SqlEngines() as engines:
        ports = Ports(
            source=SqlImageSource(
                engines.of(operator.source.conn_id),
                operator.source,
                shard=shard,
                settled_in=result_beside_list(operator),
                patience=patience,
            ),
            image_loader=hook.image_loader(),
            client=client,
            target=result_target(
                engines,
                operator.source,
                operator.target,
                operator.export,
                shard=shard,
                run_id=identity.run_id,
                stop=stop,
                patience=patience,
            ),
            ledger=_ledger(operator, hook, engines, identity, stop),
            same_images=same_images(operator, engines, stop),
            spill=file_spill(_of_shard(operator.target, shard), operator.spill_to),
        )
        yield Pipeline(ports, options, run_id=identity.run_id, log=operator.log, stop=stop)


def _of_shard(target: ResultTable | ResultFile, shard: Shard | None) -> ResultTable | ResultFile:
    return target.of_shard(shard) if isinstance(target, ResultFile) else target


def _ledger(
    operator: MainlandPermitOcrOperator,
    hook: MainlandPermitOcrHook,
    engines: SqlEngines,
    identity: RunIdentity,
    stop: threading.Event,
) -> LedgerTable | None:
    if operator.calls_table is None:
        return None
    from airflow_provider_permitocr.sql.ledger_table import SqlLedgerTable

    return SqlLedgerTable(
        engines.of(operator.calls_table.conn_id),
        operator.calls_table,
        account=hook.account(),
        run=identity,
        spending=operator.spending,
        stop=stop,
        patience_seconds=operator.batch.patience_seconds,
        call_seconds=hook.client_options.call_timeout,
    )


def same_images(
    operator: MainlandPermitOcrOperator, engines: SqlEngines, stop: threading.Event
) -> SameImages | None:
    """Return what finds the answers that an operator's table holds already; None where none are wanted.

    A file cannot be looked into by picture.
    """
    if not operator.reuse_same_image or not isinstance(operator.target, ResultTable):
        return None
    from airflow_provider_permitocr.sql.same_images import SqlSameImages

    engine = engines.of(operator.target.conn_id)
    return SqlSameImages(
        engine,
        operator.target,
        with_portrait=operator.ret_profile,
        stop=stop,
        patience_seconds=operator.batch.patience_seconds,
    )


def ocr_hook(operator: MainlandPermitOcrOperator) -> MainlandPermitOcrHook:
    """Return the hook of a rendered operator; nothing is looked up yet."""
    return MainlandPermitOcrHook(
        operator.tencentcloud_conn_id,
        ret_profile=operator.ret_profile,
        images=operator.images,
        max_per_second=operator.max_per_second,
        max_at_once=operator.max_at_once,
        call_retry=operator.call_retry,
    )


def run_options(operator: MainlandPermitOcrOperator, hook: MainlandPermitOcrHook) -> RunOptions:
    """Return the options of a rendered operator's run, with what its connection adds to them.

    :raises ConfigurationError: naming what to change.
    """
    shard = rendered_shard(operator)
    return replace(
        hook.run_options(operator.pool_slots, phase=shard.phase if shard else None),
        batch=operator.batch,
        max_tries=operator.max_tries,
        failure_limits=operator.failure_limits,
        spending=hook.priced(operator.spending),
        reuse_same_image=operator.reuse_same_image,
    )


def result_beside_list(operator: MainlandPermitOcrOperator) -> ResultTable | None:
    """Return the result table where it is in the database of the image list."""
    target = operator.target
    is_in_one = isinstance(target, ResultTable) and target.conn_id == operator.source.conn_id
    return target if isinstance(target, ResultTable) and is_in_one else None


def rendered_shard(operator: MainlandPermitOcrOperator) -> Shard | None:
    """Return the shard of a rendered operator, if it has one.

    :raises ConfigurationError: when it is none.
    """
    try:
        return Shard.parse(operator.shard) if operator.shard else None
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
