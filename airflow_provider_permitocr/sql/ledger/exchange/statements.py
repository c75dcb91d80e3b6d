"""The statements of an exchange: each is one, however many rows it is about."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.engine.ledger.calls import ClosedCall
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.permit.answers import clean_text
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.ledger.exchange.caller import Caller, is_run
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.standing.images import LedgerImage, to_json, write_attempt
from airflow_provider_permitocr.sql.ledger.tables.clock import clock
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

_LONGEST_CODE: Final = 250
#: Columns of a call that identify its image, cleared by an erasure; what sums need stays.
NOTHING_OF_IMAGE: Final = dict.fromkeys(("image_digest", "request_id", "permit_kind", "attempt", "reason"))


def lock(connection: sa.Connection, tables: LedgerTables) -> None:
    """Wait until no one else writes to the ledger, and take the next version.

    No one else writes until the transaction ends. Later reads see everything that others have committed: on
    MySQL, the transaction's first read happens after this.
    """
    database_of(connection).before_lock(connection)
    state = tables.state
    connection.execute(sa.update(state).where(state.c.id == 1).values(version=state.c.version + 1))


def next_version(connection: sa.Connection, tables: LedgerTables) -> int:
    """Lock the ledger as ``lock`` does, and return the version that was taken."""
    lock(connection, tables)
    state = tables.state.c
    return int(connection.execute(sa.select(state.version).where(state.id == 1)).scalar_one())


def read_under_lock(
    connection: sa.Connection,
    tables: LedgerTables,
    caller: Caller,
    keys: Collection[RowKey],
    periods: Collection[str],
) -> Sequence[Any]:
    """Read the ledger's state together with images; returns at least one row if there is a state."""
    state, images, runs, counters = tables.state.c, tables.images, tables.runs, tables.counters.c
    image_keys = sorted({image_key for image_key, _ in keys})
    task_try = sa.select(runs.c.task_try).where(is_run(runs, caller.run_columns)).scalar_subquery()
    counted = [
        sa.select(counters.calls)
        .where(counters.account == caller.account, counters.period == period)
        .scalar_subquery()
        .label(f"counted_{number}")
        for number, period in enumerate(sorted(periods))
    ]
    statement = (
        sa.select(
            state.version.label("state_version"),
            clock(connection).label("clock"),
            *(state.exchanged_at, state.outage_from, state.outage_until),
            task_try.label("task_try"),
            *counted,
            *(column for column in images.c if column.name != "list_id"),
        )
        .select_from(
            tables.state.outerjoin(
                images, sa.and_(images.c.list_id == caller.list_id, images.c.image_key.in_(image_keys))
            )
        )
        .where(state.id == 1)
    )
    return connection.execute(statement).mappings().all()


def count_calls(
    connection: sa.Connection, tables: LedgerTables, account: str, periods: Collection[str]
) -> dict[str, int]:
    """Return how many calls each period has."""
    counters = tables.counters.c
    statement = sa.select(counters.period, counters.calls).where(
        counters.account == account, counters.period.in_(sorted(periods))
    )
    found = {row.period: row.calls for row in connection.execute(statement)}
    return {period: found.get(period, 0) for period in periods}


def write_answers(connection: sa.Connection, tables: LedgerTables, closed: Sequence[ClosedCall]) -> None:
    """Write the answers of calls."""
    rows = [
        {"call_id": each.call_id, "form": each.answer.form.value, "answer": to_json(each.answer.values)}
        for each in closed
        if each.answer is not None
    ]
    if rows:
        database_of(connection).upsert(connection, tables.answers, rows)


def empty_answers(connection: sa.Connection, tables: LedgerTables, call_ids: Sequence[str]) -> None:
    """Blank out answers, for a user without the right to delete them."""
    answers = tables.answers
    connection.execute(sa.update(answers).where(answers.c.call_id.in_(call_ids)).values(answer=""))


def write_calls(connection: sa.Connection, tables: LedgerTables, rows: Sequence[dict[str, Any]]) -> None:
    """Write whole rows of calls."""
    if rows:
        database_of(connection).upsert(connection, tables.calls, rows)


def write_images(opened: OpenList, images: Sequence[LedgerImage]) -> None:
    """Write whole rows of images."""
    if images:
        database_of(opened.connection).upsert(
            opened.connection, opened.tables.images, [image.row(opened.list_id) for image in images]
        )


def write_counters(
    connection: sa.Connection, tables: LedgerTables, account: str, counted: Mapping[str, int]
) -> None:
    """Write how many calls periods have, as read under the same lock."""
    rows = [{"account": account, "period": period, "calls": calls} for period, calls in counted.items()]
    if rows:
        database_of(connection).upsert(connection, tables.counters, rows)


def closing_columns(closed: ClosedCall, now: datetime, version: int) -> dict[str, Any]:
    """Return the columns that close a call."""
    return {
        "code": _storable(closed.code),
        "billed": None if closed.billed is None else int(closed.billed),
        "request_id": closed.request_id and _storable(closed.request_id),
        "permit_kind": closed.answer and closed.answer.permit_kind,
        "answered_at": now,
        "reason": closed.reason and _storable(closed.reason),
        "attempt": closed.attempt and write_attempt(closed.attempt),
        "version": version,
    }


def _storable(text: str) -> str:
    """Take out of a service's text what some databases refuse: one of them must not cost the other rows."""
    return clean_text(text)[:_LONGEST_CODE]
