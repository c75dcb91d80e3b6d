"""Opens what the ledger has kept of an operator's list, without a run: no call is made, none is paid for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.engine.delivery.rebuild import Rebuild
from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
from airflow_provider_permitocr.engine.ports import TargetPorts
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.ledger.sql_ledger import LedgerRun, SqlLedger
from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines
from airflow_provider_permitocr.wiring.identity import (
    ledger_of,
    list_identity,
    resolved_targets,
    window_of,
)
from airflow_provider_permitocr.wiring.result_file import open_due_file
from airflow_provider_permitocr.wiring.run import (
    image_source,
    ocr_hook,
    result_targets,
    rows_files,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator
    from airflow_provider_permitocr.options.budget import Price

_NOBODY: Final = RunIdentity()


@contextmanager
def open_rebuild(
    operator: MainlandPermitOcrOperator, stop: threading.Event, *, is_of_run: bool
) -> Iterator[Rebuild]:
    """Open what fills the targets of a rendered operator again; the end of the ``with`` closes it.

    :param is_of_run: the operator is rendered for a DAG run, whose own files are written as well.
    :raises ConfigurationError: naming what to change.
    """
    patience = Patience(operator.batch.patience_seconds, stop)
    with SqlEngines() as engines:
        names = resolved_targets(operator, engines, patience)
        ledger = _ledger(operator, engines, names, patience)
        ports = TargetPorts(
            source=image_source(operator, engines, patience, ledger),
            ledger=ledger,
            tables=result_targets(operator, engines, names, stop),
            files=rows_files(operator) if is_of_run else (),
            open_file=open_due_file,
        )
        yield Rebuild(ports, operator.batch, log=operator.log, stop=stop)


@contextmanager
def open_list(operator: MainlandPermitOcrOperator) -> Iterator[SqlLedger]:
    """Open the ledger of a rendered operator's list; the end of the ``with`` closes it.

    :raises ConfigurationError: naming what to change.
    :raises TargetError: when the ledger does not know the list.
    """
    patience = Patience(operator.batch.patience_seconds)
    with SqlEngines() as engines:
        ledger = _ledger(operator, engines, resolved_targets(operator, engines, patience), patience)
        ledger.prepare(None)
        yield ledger


def price_of(operator: MainlandPermitOcrOperator) -> Price | None:
    """Return the price of a call, the connection's where it has one; None where none is known."""
    try:
        with closing(ocr_hook(operator)) as hook:
            return hook.priced(operator.budget).price
    except ConfigurationError:  # only a run needs the connection
        return operator.budget.price


def _ledger(
    operator: MainlandPermitOcrOperator, engines: SqlEngines, targets: Sequence[str], patience: Patience
) -> SqlLedger:
    described = ledger_of(operator)
    run = LedgerRun(
        identity=list_identity(operator, targets),
        account="",
        run=_NOBODY,
        window=window_of(operator),
        budget=operator.budget,
        with_portrait=operator.with_portrait,
        makes_calls=False,
    )
    return SqlLedger(engines.of_ledger(described.conn_id), described, run, patience=patience)
