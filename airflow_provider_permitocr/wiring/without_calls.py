"""Opens what the ledger has stored of a task's list, without a run: nothing is called or billed."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.engine.delivery.rebuild import Rebuild
from airflow_provider_permitocr.engine.erasure.erasure import Erasure
from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.engine.ports import TargetPorts
from airflow_provider_permitocr.engine.review.review import Review
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.options.task import TaskOptions
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.dialects.known import connector_database_of, database_of
from airflow_provider_permitocr.sql.ledger.erasure.erasing import Erasing
from airflow_provider_permitocr.sql.ledger.sql_ledger import LedgerRun, SqlLedger
from airflow_provider_permitocr.sql.ledger.standing.disclosure import Disclosure
from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines
from airflow_provider_permitocr.wiring.identity import (
    ledger_of,
    list_identity,
    resolved_targets,
    window_of,
)
from airflow_provider_permitocr.wiring.privacy import StoredPortraits, disclosure_of
from airflow_provider_permitocr.wiring.result_file import open_due_file
from airflow_provider_permitocr.wiring.result_table import connection_type
from airflow_provider_permitocr.wiring.run import (
    cloud_of,
    image_source,
    journal_of,
    result_targets,
    rows_files,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_permitocr.engine.run.progress import Log
    from airflow_provider_permitocr.options.budget import Price
    from airflow_provider_permitocr.options.erasure import ErasureRule
    from airflow_provider_permitocr.options.review import ReviewRule

_NOBODY: Final = RunIdentity()


@contextmanager
def open_rebuild(task: TaskOptions, stop: threading.Event, *, is_of_run: bool, log: Log) -> Iterator[Rebuild]:
    """Open what refills the targets of a task; leaving the ``with`` block closes it.

    :param is_of_run: they are rendered for a DAG run, whose own files are written, too.
    :raises ConfigurationError: naming what to change.
    """
    with _opened(task, stop) as (_, _, ports):
        files = rows_files(task) if is_of_run else ()
        yield Rebuild(replace(ports, files=files), task.batch, log=log, stop=stop)


@contextmanager
def open_erasure(
    task: TaskOptions, rule: ErasureRule, stop: threading.Event, *, erased_by: str, log: Log
) -> Iterator[Erasure]:
    """Open what erases from a task's list and its targets; the end of the ``with`` closes it.

    :param rule: what to erase.
    :param erased_by: for the record.
    :raises ConfigurationError: naming what to change.
    """
    if rule.policy and task.privacy is None:
        raise ConfigurationError(
            "the task has no privacy policy that could be applied; give it one: privacy=Privacy(...)"
        )
    with _opened(task, stop) as (engines, ledger, ports):
        portraits = StoredPortraits(task.portraits)
        yield Erasure(
            ports,
            journal_of(task, uuid.uuid4().hex),
            ledger.erasure(Erasing(rule, tuple(ports.tables), erased_by, ports.reading, portraits)),
            task.batch,
            remarks=_kept_by_databases(task, engines),
            log=log,
            stop=stop,
        )


@contextmanager
def open_review(
    task: TaskOptions, rule: ReviewRule, asker: RunIdentity, stop: threading.Event
) -> Iterator[Review]:
    """Open what asks about a task's readings and delivers decisions; the end of the ``with`` closes it.

    :param asker: the task that asks.
    :raises ConfigurationError: naming what to change.
    """
    with _opened(task, stop) as (_, ledger, ports):
        yield Review(ports, ledger.review(rule, asker), task.batch, stop=stop)


@contextmanager
def _opened(task: TaskOptions, stop: threading.Event) -> Iterator[tuple[SqlEngines, SqlLedger, TargetPorts]]:
    patience = Patience(task.batch.patience_seconds, stop)
    with SqlEngines() as engines:
        names = resolved_targets(task, engines, patience)
        disclosure = disclosure_of(task)
        ledger = _ledger(task, engines, names, patience, disclosure)
        ports = TargetPorts(
            source=image_source(task, engines, patience, ledger),
            ledger=ledger,
            tables=result_targets(task, engines, names, stop),
            open_file=open_due_file,
            reading=disclosure.reading,
            portraits=disclosure.portraits,
        )
        yield engines, ledger, ports


def _kept_by_databases(task: TaskOptions, engines: SqlEngines) -> list[str]:
    """Describe what a task's databases keep of deleted rows."""
    connectors = [connector_database_of(connection_type(table.conn_id)) for table in task.tables]
    said = [database_of(engines.of_ledger(ledger_of(task).conn_id)).keeps_deleted]
    said += [
        (connector or database_of(engines.of(table.conn_id))).keeps_deleted
        for table, connector in zip(task.tables, connectors, strict=True)
    ]
    return [each for each in dict.fromkeys(said) if each]


@contextmanager
def open_list(task: TaskOptions) -> Iterator[SqlLedger]:
    """Open the ledger of a task's list; the end of the ``with`` closes it.

    :raises ConfigurationError: naming what to change.
    :raises TargetError: when the ledger does not know the list.
    """
    patience = Patience(task.batch.patience_seconds)
    with SqlEngines() as engines:
        ledger = _ledger(task, engines, resolved_targets(task, engines, patience), patience)
        ledger.prepare(None)
        yield ledger


def price_of(task: TaskOptions) -> Price | None:
    """Return the price of a call, from the connection if it has one; None if unknown."""
    try:
        with closing(cloud_of(task)) as cloud:
            return cloud.priced(task.budget).price
    except ConfigurationError:  # only a run needs the connection
        return task.budget.price


def _ledger(
    task: TaskOptions,
    engines: SqlEngines,
    targets: Sequence[str],
    patience: Patience,
    disclosure: Disclosure = Disclosure(),
) -> SqlLedger:
    described = ledger_of(task)
    run = LedgerRun(
        identity=list_identity(task, targets),
        account="",
        run=_NOBODY,
        window=window_of(task),
        budget=task.budget,
        disclosure=disclosure,
        makes_calls=False,
    )
    return SqlLedger(engines.of_ledger(described.conn_id), described, run, patience=patience)
