"""Closes calls of ended processes from their journals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.engine.ledger.calls import NOT_SENT, ClosedCall, RunIdentity
from airflow_provider_permitocr.engine.models import RowKey
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.database.failures import blames_a_row
from airflow_provider_permitocr.sql.ledger.exchange.caller import day_period, run_period
from airflow_provider_permitocr.sql.ledger.exchange.exchange import own_answer
from airflow_provider_permitocr.sql.ledger.exchange.statements import (
    NOTHING_OF_IMAGE,
    closing_columns,
    count_calls,
    lock,
    write_answers,
    write_calls,
    write_counters,
    write_images,
)
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.standing.images import LedgerImage, read_image
from airflow_provider_permitocr.sql.ledger.tables.clock import clock, read_clock, read_moment
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

#: With more digests, MySQL estimates from statistics instead of probing the index.
_CALLS_AT_ONCE: Final = 100
_APART: Final = timedelta(microseconds=1)


def hand_in(engine: sa.Engine, tables: LedgerTables, closed: Sequence[ClosedCall]) -> list[ClosedCall]:
    """Close calls from any process, each once.

    :return: those that the ledger does not know, or whose answers its database refuses.
    :raises SQLAlchemyError: when the database cannot be reached.
    """
    left = []
    for start in range(0, len(closed), _CALLS_AT_ONCE):
        left += _hand_in_or_halve(engine, tables, closed[start : start + _CALLS_AT_ONCE])
    return left


def _hand_in_or_halve(
    engine: sa.Engine, tables: LedgerTables, closed: Sequence[ClosedCall]
) -> list[ClosedCall]:
    try:
        with engine.begin() as connection:
            return _hand_in(connection, tables, closed)
    except (SQLAlchemyError, ValueError, OverflowError) as error:
        if not blames_a_row(error):
            raise
        if len(closed) == 1:
            return list(closed)
    half = len(closed) // 2
    return _hand_in_or_halve(engine, tables, closed[:half]) + _hand_in_or_halve(engine, tables, closed[half:])


def _hand_in(
    connection: sa.Connection, tables: LedgerTables, closed: Sequence[ClosedCall]
) -> list[ClosedCall]:
    lock(connection, tables)
    state = tables.state.c
    version, timezone, now = connection.execute(
        sa.select(state.version, state.timezone, clock(connection)).where(state.id == 1)
    ).one()
    moment = read_clock(now)
    calls = _calls(connection, tables, [each.call_id for each in closed])
    # An answer that was refused before may be accepted now.
    due = [
        each
        for each in closed
        if (call := calls.get(each.call_id))
        and (call["code"] is None or (call["reason"] and each.answer is not None))
    ]
    images = _images(connection, tables, [calls[each.call_id] for each in due])
    erased = {each.call_id for each in due if _is_erased(images, calls[each.call_id])}
    write_answers(connection, tables, [each for each in due if each.call_id not in erased])
    rows = []
    for number, each in enumerate(due):
        call = calls[each.call_id]
        # A history identifies an image's recognitions by their times.
        closed_at = moment + number * _APART
        rows.append(dict(call) | closing_columns(each, closed_at, version) | {"reason": None})
        if each.call_id in erased:
            rows[-1] |= NOTHING_OF_IMAGE
        row_key = call["image_key"], CardSide(call["card_side"])
        image = images[call["list_id"], row_key]
        if each.attempt:
            run = RunIdentity(call["dag_id"], call["task_id"], call["run_id"])
            image.change(
                own_answer(each, row_key),
                order=call["place"],
                now=closed_at,
                run=run.name,
                version=version,
            )
        image.release(each.call_id)
    write_calls(connection, tables, rows)
    for list_id in {list_id for list_id, _ in images}:
        of_list = [image for (number, _), image in sorted(images.items()) if number == list_id]
        write_images(OpenList(connection, tables, list_id), of_list)
    _stamp_takers(
        connection, tables, [calls[each.call_id] for each in due if each.answer is not None], version
    )
    _give_back(connection, tables, [calls[each.call_id] for each in due if each.code == NOT_SENT], timezone)
    return [each for each in closed if each.call_id not in calls]


def _calls(
    connection: sa.Connection, tables: LedgerTables, call_ids: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    calls = tables.calls
    rows = connection.execute(sa.select(calls).where(calls.c.call_id.in_(call_ids))).mappings()
    times = ("intended_at", "held_until", "answered_at")
    return {row["call_id"]: dict(row) | {name: read_moment(row[name]) for name in times} for row in rows}


def _images(
    connection: sa.Connection, tables: LedgerTables, calls: Sequence[Mapping[str, Any]]
) -> dict[tuple[int, RowKey], LedgerImage]:
    images = tables.images
    found: dict[tuple[int, RowKey], LedgerImage] = {}
    for list_id in {call["list_id"] for call in calls}:
        keys = sorted({call["image_key"] for call in calls if call["list_id"] == list_id})
        statement = sa.select(images).where(images.c.list_id == list_id, images.c.image_key.in_(keys))
        for row in connection.execute(statement).mappings():
            image = read_image(dict(row))
            found[list_id, image.row_key] = image
    wanted = {(call["list_id"], (call["image_key"], CardSide(call["card_side"]))): None for call in calls}
    return {key: found.get(key) or LedgerImage(key[1]) for key in wanted}


def _is_erased(images: Mapping[tuple[int, RowKey], LedgerImage], call: Mapping[str, Any]) -> bool:
    """Whether a call's image was erased since."""
    image = images[call["list_id"], (call["image_key"], CardSide(call["card_side"]))]
    return image.standing.has_erased(call["place"])


def _stamp_takers(
    connection: sa.Connection, tables: LedgerTables, calls: Sequence[Mapping[str, Any]], version: int
) -> None:
    """Mark images for delivery again that reused these answers before they were written.

    They are identical, so the index of digests finds them.
    """
    images = tables.images
    for list_id in {call["list_id"] for call in calls}:
        of_list = [call for call in calls if call["list_id"] == list_id]
        digests = sorted({call["image_digest"] for call in of_list if call["image_digest"] is not None})
        if digests:
            took_one = sa.and_(
                images.c.list_id == list_id,
                images.c.image_digest.in_(digests),
                images.c.answer_id.in_([call["call_id"] for call in of_list]),
            )
            connection.execute(sa.update(images).where(took_one).values(version=version))


def _give_back(
    connection: sa.Connection,
    tables: LedgerTables,
    unsent: Sequence[Mapping[str, Any]],
    timezone: str | None,
) -> None:
    """Count calls no longer that were not made."""
    for account in {call["account"] for call in unsent}:
        periods: list[str] = []
        for call in unsent:
            if call["account"] == account:
                run = RunIdentity(call["dag_id"], call["task_id"], call["run_id"])
                periods += [day_period(call["intended_at"], timezone or "UTC"), run_period(run)]
        counted = count_calls(connection, tables, account, set(periods))
        write_counters(
            connection,
            tables,
            account,
            {period: max(0, calls - periods.count(period)) for period, calls in counted.items()},
        )
