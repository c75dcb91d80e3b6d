"""Looks at a ledger and at the list that a task has in it, without changing either of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_permitocr.cli.checks.database_checks import find, templated, templated_finding
from airflow_provider_permitocr.cli.checks.findings import Finding, Variant, Verdict, noted, unchecked, wrong
from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.options.ledger import DEFAULT_NAME, Ledger, beside
from airflow_provider_permitocr.options.readable import is_template
from airflow_provider_permitocr.options.targets.result_table import ResultTable

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from airflow_provider_permitocr.sql.ledger.lists.lists import ListIdentity
    from airflow_provider_permitocr.sql.ledger.open_list import OpenList

_LEDGER, _LIST, _LEFT = "ledger", "list", "left over"
_ONE_MACHINE: Final = "LocalExecutor"
_MOST_NAMED: Final = 3


def check_ledger(variant: Variant) -> list[Finding]:
    """Check that the ledger of a task can be written or created, and takes its list."""
    ledger = variant.ledger
    if ledger is None and variant.targets and not variant.tables:
        return [
            wrong(
                _LEDGER,
                "a file cannot hold the ledger of its runs",
                remedy=f'name a database that can: ledger=Ledger("{DEFAULT_NAME}", conn_id="...")',
            )
        ]
    if ledger is None and variant.tables:
        ledger = beside(variant.tables[0])
    if ledger is None:
        return []
    if names := templated(ledger):
        return [templated_finding(_LEDGER, names)]
    return _check(ledger, variant)


def _check(ledger: Ledger, variant: Variant) -> list[Finding]:
    one_machine: list[str] = []

    def look(engine: Engine) -> str:
        from airflow_provider_permitocr.sql.dialects.known import database_of

        if (database := database_of(engine)).is_file:
            one_machine.append(database.title)
        return _look(engine, ledger)

    found = [find(_LEDGER, ledger.conn_id, look)]
    if found[0].verdict is Verdict.OK and one_machine and (executor := _other_executor()):
        found.append(
            noted(
                _LEDGER,
                f"{_named(ledger)} is a {one_machine[0]} file, which works on one machine only, but the"
                f" executor is {executor}",
                remedy=f'keep it in a database server: ledger=Ledger("{DEFAULT_NAME}", conn_id="...")',
            )
        )
    if found[0].verdict is Verdict.OK and variant.identity is not None:
        found += _check_list(ledger, variant.identity, variant)
    return found


def _look(engine: Engine, ledger: Ledger) -> str:
    from airflow_provider_permitocr.sql.database.failures import database_errors
    from airflow_provider_permitocr.sql.dialects.known import database_of
    from airflow_provider_permitocr.sql.ledger.tables.preparation import check_tables, require_place

    require_place(engine)
    if (file := database_of(engine).missing_file(engine)) is not None:
        return f"{_named(ledger)} and its file {file} do not exist yet; the first run creates both"
    with database_errors("looking at the ledger"):
        is_there = check_tables(engine, ledger)
    return (
        f"{_named(ledger)} {'can be written' if is_there else 'does not exist yet; the first run creates it'}"
    )


def _check_list(ledger: Ledger, identity: ListIdentity, variant: Variant) -> list[Finding]:
    named = (identity.name, identity.source_conn_id, identity.source_table, *identity.targets)
    if any(is_template(each) for each in named):
        return [unchecked(_LIST, f"{identity.name!r}: templated; known only at run time")]
    notes: list[Finding] = []
    found = find(_LIST, ledger.conn_id, lambda engine: _look_for(engine, ledger, identity, variant, notes))
    return [found, *notes]


def _look_for(
    engine: Engine, ledger: Ledger, identity: ListIdentity, variant: Variant, notes: list[Finding]
) -> str:
    from airflow_provider_permitocr.sql.database.failures import database_errors
    from airflow_provider_permitocr.sql.dialects.known import database_of
    from airflow_provider_permitocr.sql.ledger.lists.lists import find_list
    from airflow_provider_permitocr.sql.ledger.open_list import OpenList
    from airflow_provider_permitocr.sql.ledger.tables.preparation import check_tables
    from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables

    known = None
    if database_of(engine).missing_file(engine) is None:
        with database_errors("looking for the list in the ledger"):
            if check_tables(engine, ledger):
                identity = _resolved(identity, variant.tables)
                tables = ledger_tables(ledger.name)
                with engine.connect() as connection:
                    if known := find_list(connection, tables, identity):
                        opened = OpenList(connection, tables, known.list_id)
                        notes += _look_for_leftovers(opened, variant.shard)
    return f"{identity.name!r} is {'known' if known else 'new'} in {_named(ledger)}"


def _look_for_leftovers(opened: OpenList, shard: str | None) -> list[Finding]:
    """Report what the next run takes over, what it cannot, and which rows are refused."""
    from airflow_provider_permitocr.engine.ledger.calls import RunIdentity
    from airflow_provider_permitocr.sql.ledger.deliveries.refusals import refusals_by_target
    from airflow_provider_permitocr.sql.ledger.exchange.caller import run_columns
    from airflow_provider_permitocr.sql.ledger.runs.leftovers import find_leftovers

    left = find_leftovers(opened, run_columns(RunIdentity()), shard)
    found = []
    if left.runs:
        names = _some([each.run[2] for each in left.runs])
        found.append(
            noted(
                _LEFT,
                f"{many(len(left.runs), 'run has', 'runs have')} not finished; the next run takes them"
                f" up: {names}",
            )
        )
    if left.unread:
        found.append(
            noted(
                _LEFT,
                f"{many(left.unread, 'image')} of earlier runs cannot be listed again, because their query"
                f" has templates or changes over time: {_some(left.unread_runs)}",
                "clear these runs",
            )
        )
    for target, count in refusals_by_target(opened):
        found.append(
            noted(
                _LEFT,
                f"{target} has refused {many(count, 'row')}; the next run tries them again",
                "look for error_code ResultRowRefused there, and fix the constraint",
            )
        )
    return found


def _some(names: Any) -> str:
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _resolved(identity: ListIdentity, tables: Sequence[ResultTable]) -> ListIdentity:
    """Name the targets as in a run, which queries their databases."""
    from airflow_provider_permitocr.wiring.connections.sql_engine import SqlEngines
    from airflow_provider_permitocr.wiring.result_table import result_table_name

    with SqlEngines() as engines:
        names = tuple(result_table_name(table, engines) for table in tables)
    return replace(identity, targets=names)


def _other_executor() -> str | None:
    """Name an executor that runs tasks on other machines, if there is one."""
    from airflow.sdk import conf

    configured = str(conf.get("core", "executor")).replace(";", ",").split(",")
    # Each may have a team and an alias, and be named by its class.
    names = [each.strip().rpartition(".")[2].rpartition("=")[2].rpartition(":")[2] for each in configured]
    return next((name for name in names if name and name != _ONE_MACHINE), None)


def _named(ledger: Ledger) -> str:
    return f"{ledger.name} on {ledger.conn_id}"
