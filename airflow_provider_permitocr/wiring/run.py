"""Puts a run together from what an operator was given: connections are looked up here, and no sooner."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.engine.ledger.journal import FileJournal
from airflow_provider_permitocr.engine.ports import Ports
from airflow_provider_permitocr.engine.run.pipeline import Pipeline
from airflow_provider_permitocr.errors import ConfigurationError, PermitOcrError
from airflow_provider_permitocr.hooks.mainland_permit_ocr import MainlandPermitOcrHook
from airflow_provider_permitocr.options.run import RunOptions
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.ledger.reading import LedgerReader
from airflow_provider_permitocr.sql.ledger.sql_ledger import LedgerRun, SqlLedger
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from airflow_provider_permitocr.wiring.airflow_home import journal_folder
from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines
from airflow_provider_permitocr.wiring.identity import (
    ledger_of,
    list_identity,
    rendered_shard,
    resolved_targets,
    window_of,
)
from airflow_provider_permitocr.wiring.result_file import open_due_file, open_result_file
from airflow_provider_permitocr.wiring.result_table import (
    ResultTarget,
    open_result_table,
    require_image_list,
)

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
    from airflow_provider_permitocr.engine.ports import PermitClient
    from airflow_provider_permitocr.files.rows_file import StoredRowsFile
    from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator

#: Account of calls where nobody says whose keys these are.
_UNKNOWN_ACCOUNT: Final = "unknown"


@contextmanager
def open_pipeline(
    operator: MainlandPermitOcrOperator, identity: RunIdentity, stop: threading.Event
) -> Iterator[Pipeline]:
    """Open everything that the pipeline of a rendered operator uses; the end of the ``with`` closes it.

    :raises ConfigurationError: naming what to change.
    """
    hook = ocr_hook(operator)
    options = run_options(operator, hook)
    with closing(hook), hook.client() as client, SqlEngines() as engines:
        ports = _ports(operator, identity, engines, hook, client, stop)
        yield Pipeline(ports, options, log=operator.log, stop=stop)


def _ports(
    operator: MainlandPermitOcrOperator,
    identity: RunIdentity,
    engines: SqlEngines,
    hook: MainlandPermitOcrHook,
    client: PermitClient,
    stop: threading.Event,
) -> Ports:
    patience = Patience(operator.batch.patience_seconds, stop)
    session_id = uuid.uuid4().hex
    names = resolved_targets(operator, engines, patience)
    files = rows_files(operator)
    described = ledger_of(operator)
    ledger = SqlLedger(
        engines.of_ledger(described.conn_id),
        described,
        LedgerRun(
            identity=list_identity(operator, names),
            account=_account(operator, hook),
            run=identity,
            window=window_of(operator),
            budget=hook.priced(operator.budget),
            files=tuple(file.due for file in files),
            call_seconds=hook.client_options.call_timeout,
            with_portrait=operator.with_portrait,
            session_id=session_id,
        ),
        patience=patience,
    )
    return Ports(
        source=image_source(operator, engines, patience, ledger),
        request_builder=hook.request_builder(),
        client=client,
        ledger=ledger,
        journal=FileJournal(journal_folder(operator.journal), session_id=session_id),
        tables=result_targets(operator, engines, names, stop),
        files=files,
        open_file=open_due_file,
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
    require_image_list(conn_id)
    is_beside = ledger is not None and ledger_of(operator).conn_id == conn_id
    return SqlImageSource(
        engines.of(conn_id),
        operator.source,
        shard=rendered_shard(operator),
        settled_in=ledger.where if ledger is not None and is_beside else None,
        window=window_of(operator),
        patience=patience,
    )


def result_targets(
    operator: MainlandPermitOcrOperator, engines: SqlEngines, names: Sequence[str], stop: threading.Event
) -> dict[str, ResultTarget]:
    """Return the result tables of a rendered operator, by their names in the ledger.

    A delivery that fails is tried again by its own thread, which calls do not wait for.

    :raises ConfigurationError: when a connection is missing, or is of no SQL database.
    """
    return {
        name: open_result_table(table, engines, Patience(0, stop))
        for name, table in zip(names, operator.tables, strict=True)
    }


def rows_files(operator: MainlandPermitOcrOperator) -> list[StoredRowsFile]:
    """Return the files that a rendered operator writes.

    :raises ConfigurationError: when there is no such connection, or no file system for a URL.
    """
    shard = rendered_shard(operator)
    try:
        return [open_result_file(file.of_shard(shard)) for file in operator.files]
    except ValueError as error:
        raise ConfigurationError(str(error)) from None


def ocr_hook(operator: MainlandPermitOcrOperator) -> MainlandPermitOcrHook:
    """Return the hook of a rendered operator; nothing is looked up yet."""
    return MainlandPermitOcrHook(
        operator.tencentcloud_conn_id,
        with_portrait=operator.with_portrait,
        images=operator.images,
        max_per_second=operator.max_per_second,
        max_in_flight=operator.max_in_flight,
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
        budget=hook.priced(operator.budget),
        reuse_identical=operator.reuse_identical,
        leftovers=operator.leftovers,
        redo=operator.redo,
    )


def _account(operator: MainlandPermitOcrOperator, hook: MainlandPermitOcrHook) -> str:
    if operator.budget.is_capped:
        return hook.account()  # calls are counted for each account
    try:
        return hook.account()
    except PermitOcrError as error:
        operator.log.info(f"Calls are written down without their account: {error}")
        return _UNKNOWN_ACCOUNT
