"""Puts a run together from what an operator was given: connections are looked up here, and no sooner."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.core.calls import RunIdentity
from airflow_provider_permitocr.core.errors import ConfigurationError, PermitOcrError
from airflow_provider_permitocr.core.journal import FileJournal
from airflow_provider_permitocr.core.options import RunOptions
from airflow_provider_permitocr.core.pipeline import Pipeline
from airflow_provider_permitocr.core.ports import Ports, RowsFile
from airflow_provider_permitocr.core.shard import Shard
from airflow_provider_permitocr.files.result_file import ResultFile
from airflow_provider_permitocr.hooks.airflow_home import journal_folder
from airflow_provider_permitocr.hooks.mainland_permit_ocr import MainlandPermitOcrHook
from airflow_provider_permitocr.hooks.sql_engine import SqlEngines
from airflow_provider_permitocr.sql.image_source import SqlImageSource
from airflow_provider_permitocr.sql.ledger.lists import ListIdentity, target_name
from airflow_provider_permitocr.sql.ledger.options import Ledger, beside
from airflow_provider_permitocr.sql.ledger.reading import LedgerReader
from airflow_provider_permitocr.sql.ledger.resolved import resolved_name
from airflow_provider_permitocr.sql.ledger.runs import Window
from airflow_provider_permitocr.sql.ledger.schema import LONGEST_NAME
from airflow_provider_permitocr.sql.ledger.sql_ledger import LedgerRun, SqlLedger
from airflow_provider_permitocr.sql.patience import Patience
from airflow_provider_permitocr.sql.result_target import SqlResultTarget
from airflow_provider_permitocr.sql.tables import ImageQuery, ImageTable, ResultTable
from airflow_provider_permitocr.sql.times import read_time

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator

#: Account of calls where nobody says whose keys these are.
_UNKNOWN_ACCOUNT: Final = "unknown"


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
    patience = Patience(operator.batch.patience_seconds, stop)
    session_id = uuid.uuid4().hex
    with closing(hook), hook.client() as client, SqlEngines() as engines:
        ledger = sql_ledger(operator, hook, engines, identity, patience, session_id)
        target = operator.target
        file = rows_file(operator)
        ports = Ports(
            source=image_source(operator, engines, patience, ledger),
            image_loader=hook.image_loader(),
            client=client,
            ledger=ledger,
            journal=FileJournal(journal_folder(operator.journal), session_id=session_id),
            # A delivery that fails is tried again by its own thread, which calls do not wait for.
            target=SqlResultTarget(engines.of(target.conn_id), target, patience=Patience(0, stop))
            if isinstance(target, ResultTable)
            else None,
            file=file,
            whole_list=image_source(operator, engines, patience) if file else None,
        )
        yield Pipeline(ports, options, log=operator.log, stop=stop)


def sql_ledger(
    operator: MainlandPermitOcrOperator,
    hook: MainlandPermitOcrHook,
    engines: SqlEngines,
    identity: RunIdentity,
    patience: Patience,
    session_id: str = "",
) -> SqlLedger:
    """Return the ledger of a rendered operator's run; it is not read yet.

    :raises ConfigurationError: when a connection is missing, or is of no SQL database.
    :raises DatabaseError: when the result table's database cannot be reached.
    """
    described = ledger_of(operator)
    shard = rendered_shard(operator)
    source = operator.source
    target = resolved_target(operator, engines, patience)
    return SqlLedger(
        engines.of_ledger(described.conn_id),
        described,
        LedgerRun(
            identity=list_identity(operator, target),
            account=_account(operator, hook),
            run=identity,
            window=_window(source, shard),
            spending=hook.priced(operator.spending),
            target=target,
            call_seconds=hook.client_options.call_timeout,
            with_portrait=operator.ret_profile,
            session_id=session_id,
        ),
        patience=patience,
    )


def _window(source: ImageTable | ImageQuery, shard: Shard | None) -> Window:
    part = str(shard) if shard else None
    if isinstance(source, ImageTable):
        return Window(_moment(source.since), _moment(source.until), part)
    return Window(shard=part)


def ledger_of(operator: MainlandPermitOcrOperator) -> Ledger:
    """Return the ledger that an operator was given, or the one beside its result table."""
    if operator.ledger is not None:
        return operator.ledger
    assert isinstance(operator.target, ResultTable), "a file is given a ledger"
    return beside(operator.target)


def resolved_target(
    operator: MainlandPermitOcrOperator, engines: SqlEngines, patience: Patience = Patience(0)
) -> str | None:
    """Return which table its database finds by the name of a rendered operator's target; None for a file.

    :raises ConfigurationError: when its connection is missing, or is of no SQL database.
    :raises DatabaseError: when its database cannot be reached.
    """
    target = operator.target
    if not isinstance(target, ResultTable):
        return None
    return resolved_name(engines.of(target.conn_id), target, patience.at_first())


def list_identity(operator: MainlandPermitOcrOperator, resolved: str | None = None) -> ListIdentity:
    """Return what the ledger knows an operator's list by.

    :param resolved: as ``resolved_target`` names its table; None: as it is written, which a run is not to
        be told apart by.
    """
    source, target = operator.source, operator.target
    written = target_name(target) if isinstance(target, ResultTable) else None
    default = operator.file_list or written or ""
    table = resolved or written
    return ListIdentity(
        name=_short(operator.list or default),
        is_default_name=operator.list is None,
        source_conn_id=source.conn_id,
        source_table=source.table if isinstance(source, ImageTable) else None,
        key_column=source.key,
        targets=(table,) if table else (),
    )


def image_source(
    operator: MainlandPermitOcrOperator,
    engines: SqlEngines,
    patience: Patience,
    ledger: LedgerReader | None = None,
) -> SqlImageSource:
    """Return the list of a rendered operator.

    :param ledger: what it says is settled is left out where it is in the list's database; None: nothing is.
    :raises ConfigurationError: when its connection is missing, or is of no SQL database.
    """
    conn_id = operator.source.conn_id
    is_beside = ledger is not None and ledger_of(operator).conn_id == conn_id
    return SqlImageSource(
        engines.of(conn_id),
        operator.source,
        shard=rendered_shard(operator),
        settled_in=ledger.where if ledger is not None and is_beside else None,
        patience=patience,
    )


def rows_file(operator: MainlandPermitOcrOperator) -> RowsFile | None:
    """Return the file that an operator writes at its end, if any.

    :raises ConfigurationError: when there is no such connection, or no file system for its URL.
    """
    described = operator.target if isinstance(operator.target, ResultFile) else operator.export
    if described is None:
        return None
    from airflow_provider_permitocr.files.rows_file import StoredRowsFile
    from airflow_provider_permitocr.hooks.result_file import stored_file

    try:
        return StoredRowsFile(stored_file(described.of_shard(rendered_shard(operator))))
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


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
        max_runs_per_image=operator.max_runs_per_image,
        failure_limits=operator.failure_limits,
        spending=hook.priced(operator.spending),
        reuse_same_image=operator.reuse_same_image,
    )


def rendered_shard(operator: MainlandPermitOcrOperator) -> Shard | None:
    """Return the shard of a rendered operator, if it has one.

    :raises ConfigurationError: when it is none.
    """
    try:
        return Shard.parse(operator.shard) if operator.shard else None
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def _account(operator: MainlandPermitOcrOperator, hook: MainlandPermitOcrHook) -> str:
    if operator.spending.is_capped:
        return hook.account()  # calls are counted for each account
    try:
        return hook.account()
    except PermitOcrError as error:
        operator.log.info(f"Calls are written down without their account: {error}")
        return _UNKNOWN_ACCOUNT


def _short(name: str) -> str:
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 65]} {hashlib.sha256(name.encode()).hexdigest()}"


def _moment(value: object) -> datetime | None:
    try:
        return read_time(value)
    except ValueError:
        return None
