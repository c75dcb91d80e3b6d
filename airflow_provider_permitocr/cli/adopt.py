"""``airflow permitocr adopt``: takes a list or a result table into a ledger, without a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_permitocr.cli.airflow_internals import airflow_command
from airflow_provider_permitocr.cli.choice import for_each_list
from airflow_provider_permitocr.cli.output import say
from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines

if TYPE_CHECKING:
    import argparse

    from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator
    from airflow_provider_permitocr.sql.ledger.lists.adoption import Adoption


@airflow_command
def adopt(arguments: argparse.Namespace) -> None:
    """Run the command, and end the process with its status.

    :param arguments: as ``cli/definition.py`` describes them.
    :raises SystemExit: 0 when everything was taken over, 1 when something was not, 2 for an unknown DAG or
        task.
    """
    for_each_list(arguments, _adopt, by_connection=True)


def _adopt(named: str, operator: MainlandPermitOcrOperator) -> bool:
    _tell(named, operator, adopt_list(operator))
    return True


def adopt_list(operator: MainlandPermitOcrOperator) -> Adoption:
    """Take over the list of a rendered operator, and the rows of its result tables.

    :raises PermitOcrError: naming the obstacle.
    """
    from airflow_provider_permitocr.sql.database.failures import database_errors
    from airflow_provider_permitocr.sql.ledger.lists import adoption
    from airflow_provider_permitocr.sql.ledger.lists.adopted_rows import AdoptedRows
    from airflow_provider_permitocr.sql.ledger.tables.preparation import prepare_tables
    from airflow_provider_permitocr.wiring.identity import ledger_of, list_identity, resolved_targets
    from airflow_provider_permitocr.wiring.privacy import protection_of
    from airflow_provider_permitocr.wiring.result_table import require_adoptable

    described = ledger_of(operator.options)
    for table in operator.options.tables:
        require_adoptable(table)
    with SqlEngines() as engines:
        engine = engines.of_ledger(described.conn_id)
        with database_errors(f"preparing the ledger {described.name!r}"):
            tables = prepare_tables(engine, described, operator.budget.timezone)
        names = resolved_targets(operator.options, engines)
        carried = [each.result_name for each in operator.source.carried]
        rows = {
            name: AdoptedRows(engines.of(table.conn_id), table, carried)
            for name, table in zip(names, operator.options.tables, strict=True)
        }
        return adoption.adopt(
            engine,
            tables,
            list_identity(operator.options, names),
            rows,
            protection_of(operator.options.privacy),
        )


def _tell(named: str, operator: MainlandPermitOcrOperator, done: Adoption) -> None:
    said = [f"{named}: the list is {done.list_name!r}"]
    if done.known_as is not None:
        said.append(f"was {done.known_as!r} so far")
    if done.read_from is not None:
        said.append(f"was read from {done.read_from}")
    if operator.options.tables:
        named = ", ".join(table.table for table in operator.options.tables)
        said.append(f"{many(done.taken, 'image')} taken over from {named}")
        said.append(f"{done.recognized:,} of them with their answer")
        said.append(f"{done.known:,} known before")
    if done.left_out:
        said.append(f"{many(done.left_out, 'row')} left out: this package writes no such key, side or status")
    say("; ".join(said))
