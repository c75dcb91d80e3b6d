"""The tables of a ledger: created if missing, and refused if they cannot store it."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from airflow_provider_permitocr.errors import TargetError
from airflow_provider_permitocr.options.ledger import DEFAULT_NAME, Ledger
from airflow_provider_permitocr.sql.database.changes import Change, carry_out
from airflow_provider_permitocr.sql.database.failures import describe, is_made_already, is_transient
from airflow_provider_permitocr.sql.database.patience import BRIEFLY
from airflow_provider_permitocr.sql.database.rights import raise_refusal, require_creatable
from airflow_provider_permitocr.sql.dialects.known import database_of, ledger_titles
from airflow_provider_permitocr.sql.ledger.tables.examination import (
    examine,
    lacking_indexes,
    require_all_rights,
)
from airflow_provider_permitocr.sql.ledger.tables.schema import SHAPE, LedgerTables, ledger_tables
from airflow_provider_permitocr.sql.ledger.tables.trial import require_transactions

#: A line for the DAG if the result's database cannot store a ledger.
LINE_TO_PASTE: Final = f'ledger=Ledger("{DEFAULT_NAME}", conn_id="...")'
_STATE_ROW: Final = 1
_EXAMINING: Final = "examining the ledger"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LedgerState:
    """What a ledger records about itself.

    :param ledger_id: a random name, which journals refer to.
    :param version: of the last exchange.
    :param timezone: a day begins at midnight in this time zone.
    :param examined: time columns without a time zone, as JSON; None: no run has examined the tables yet.
    """

    ledger_id: str
    version: int
    timezone: str | None
    examined: str | None = None


def prepare_tables(engine: sa.Engine, described: Ledger, timezone: str) -> LedgerTables:
    """Create missing tables and indexes, and check existing ones.

    :param timezone: for a new ledger: a day begins at midnight in this time zone.
    :raises TargetError: naming what to change.
    :raises SQLAlchemyError: when the database cannot be reached.
    """
    require_place(engine)
    tables = ledger_tables(described.name)
    # MySQL may take this and the changes that another task makes for a deadlock.
    without_zone = BRIEFLY.wait_out(partial(_examined, engine, described, tables), _EXAMINING)
    if without_zone is None:
        _, without_zone = BRIEFLY.wait_out(partial(_look, engine, described, tables), _EXAMINING)
    _create(engine, described, tables)
    tables = ledger_tables(described.name, without_zone=without_zone)
    require_transactions(engine, tables, described.conn_id)
    _require_state(engine, described, tables, timezone, without_zone)
    return tables


def check_tables(engine: sa.Engine, described: Ledger) -> bool:
    """Check what ``prepare_tables`` would, as far as possible without changing anything.

    :return: whether all tables exist.
    :raises TargetError: naming what to change.
    :raises SQLAlchemyError: when the database cannot be reached.
    """
    require_place(engine)
    tables = ledger_tables(described.name)
    missing, _ = BRIEFLY.wait_out(partial(_look, engine, described, tables), _EXAMINING)
    with engine.connect() as connection:
        if missing:
            require_creatable(connection, tables.state.schema, *_not_creatable(connection, described, tables))
    return not missing


def read_state(connection: sa.Connection, described: Ledger, tables: LedgerTables) -> LedgerState:
    """Read what a prepared ledger records about itself.

    :raises TargetError: when it has been emptied since.
    """
    state = _read_state(connection, described, tables)
    if state is None:
        raise TargetError(f"the ledger {described.name!r} was emptied; start the task again")
    return state


def require_place(engine: sa.Engine) -> None:
    """Make sure that a ledger can be kept in such a database.

    :raises TargetError: with the line that names another.
    """
    if (database := database_of(engine)).clock is None:
        raise TargetError(
            f"a ledger cannot be kept in {database.title}; add {LINE_TO_PASTE}, naming a connection of one"
            f" of: {ledger_titles()}"
        )


def _look(
    engine: sa.Engine, described: Ledger, tables: LedgerTables
) -> tuple[set[str], frozenset[tuple[str, str]]]:
    with engine.connect() as connection:
        _require_shape(connection, described, tables)
        return examine(connection, tables)


def _examined(
    engine: sa.Engine, described: Ledger, tables: LedgerTables
) -> frozenset[tuple[str, str]] | None:
    """Return what an earlier run found when it examined the tables; None if none has.

    Reflecting eleven tables takes a hundred statements, which delays every start of a task that is far from
    its database. Rights are still checked.

    :raises TargetError: when another version of this package created them, or a right is missing.
    """
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table(tables.state.name, tables.state.schema):
            return None
        try:
            state = _read_state(connection, described, tables)
        except SQLAlchemyError as error:
            if is_transient(error):
                raise
            return None  # no such columns: not our tables
        if state is None or state.examined is None:
            return None
        require_all_rights(connection, tables)
    return frozenset((shape, column) for shape, column in json.loads(state.examined))


def _create(engine: sa.Engine, described: Ledger, tables: LedgerTables) -> None:
    try:
        doing = f"creating the tables of the ledger {described.name!r}"
        carry_out(engine, partial(_changes, tables=tables), doing)
    except SQLAlchemyError as error:
        with engine.connect() as connection:
            raise_refusal(error, *_not_creatable(connection, described, tables))
    _create_indexes(engine, described, tables)


def _changes(connection: sa.Connection, *, tables: LedgerTables) -> list[Change]:
    return [partial(table.create, checkfirst=False) for table in _missing(connection, tables)]


def _missing(connection: sa.Connection, tables: LedgerTables) -> list[sa.Table]:
    inspector = sa.inspect(connection)
    return [table for table in tables if not inspector.has_table(table.name, table.schema)]


def _create_indexes(engine: sa.Engine, described: Ledger, tables: LedgerTables) -> None:
    """Create missing indexes: the run that created the tables may have died, or an upgrade needs more.

    A run without them is slower, but correct, so it does not wait for them.
    """
    with engine.connect() as connection:
        lacking = lacking_indexes(connection, tables)
    for number, index in enumerate(lacking):
        try:
            database_of(engine).create_index(engine, index)
        except SQLAlchemyError as error:
            if is_made_already(error):
                continue
            script = _script(engine.dialect, map(CreateIndex, lacking[number:]))
            _log.warning(
                "The ledger %r lacks indexes, which makes runs slower. They could not be created: %s. The"
                " next run tries again; you may create them yourself:\n%s",
                *(described.name, describe(error), script),
            )
            return


def _not_creatable(connection: sa.Connection, described: Ledger, tables: LedgerTables) -> tuple[str, str]:
    """Describe what was refused, and what to do."""
    missing = _missing(connection, tables)
    indexes = [index for table in missing for index in sorted(table.indexes, key=lambda each: str(each.name))]
    script = _script(connection.dialect, [*map(CreateTable, missing), *map(CreateIndex, indexes)])
    return (
        f"the ledger {described.name!r} could not be created",
        f"grant the user of connection {described.conn_id!r} the right to create tables and indexes, keep the"
        f" ledger elsewhere with {LINE_TO_PASTE}, or hand these statements to the database's"
        f" administrator:\n{script}",
    )


def _script(dialect: sa.Dialect, statements: Iterable[CreateTable | CreateIndex]) -> str:
    return "\n".join(f"{str(each.compile(dialect=dialect)).strip()};" for each in statements)


def _require_state(
    engine: sa.Engine,
    described: Ledger,
    tables: LedgerTables,
    timezone: str,
    without_zone: Collection[tuple[str, str]],
) -> None:
    """Write the row that is locked, unless it exists, and that the tables were examined."""
    examined = json.dumps(sorted(without_zone))
    state = tables.state
    with engine.connect() as connection:
        if known := _read_state(connection, described, tables):
            if known.examined is None:
                connection.execute(sa.update(state).where(state.c.id == _STATE_ROW).values(examined=examined))
                connection.commit()
            return

    def make(connection: sa.Connection) -> None:
        row = {
            "id": _STATE_ROW,
            "ledger_id": uuid.uuid4().hex,
            "shape": SHAPE,
            "version": _highest_version(connection, tables),
            "timezone": timezone,
            "examined": examined,
        }
        connection.execute(sa.insert(tables.state), [row])

    with suppress(IntegrityError):  # another task has just written it
        BRIEFLY.write(engine, make, "writing the state of the ledger")
    with engine.connect() as connection:
        read_state(connection, described, tables)


def _highest_version(connection: sa.Connection, tables: LedgerTables) -> int:
    """Return where to go on counting in a ledger that lost its state: no version may come twice."""
    stamps = (
        *(tables.images.c.version, tables.deliveries.c.version),
        *(tables.calls.c.version, tables.calls.c.place),
    )
    return max(connection.execute(sa.select(sa.func.max(each))).scalar() or 0 for each in stamps)


def _require_shape(connection: sa.Connection, described: Ledger, tables: LedgerTables) -> None:
    """Refuse another version's tables before reporting anything else about them.

    :raises TargetError: when another version of this package created them.
    """
    if not sa.inspect(connection).has_table(tables.state.name, tables.state.schema):
        return
    try:
        _read_state(connection, described, tables)
    except SQLAlchemyError as error:
        if is_transient(error):
            raise
        connection.rollback()  # no such columns: not our tables


def _read_state(connection: sa.Connection, described: Ledger, tables: LedgerTables) -> LedgerState | None:
    """Read the row that is locked; None if it is missing.

    :raises TargetError: when another version of this package created the tables.
    """
    state = tables.state.c
    row = connection.execute(
        sa.select(state.ledger_id, state.shape, state.version, state.timezone, state.examined).where(
            state.id == _STATE_ROW
        )
    ).first()
    if row is None:
        return None
    if row.shape != SHAPE:
        raise TargetError(
            f"the ledger {described.name!r} was created by another version of this package (shape"
            f" {row.shape}, not {SHAPE}); install that version, or give this one another ledger,"
            f' ledger=Ledger("{described.name}_2", conn_id="{described.conn_id}"), and run airflow permitocr'
            " adopt DAG TASK"
        )
    return LedgerState(row.ledger_id, row.version, row.timezone, row.examined)
