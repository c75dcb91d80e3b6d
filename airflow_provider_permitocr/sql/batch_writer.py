"""One batch into the result table: tried again where that may help, and without the rows that it refuses."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.sql.error_codes import blames_a_row, may_pass
from airflow_provider_permitocr.sql.errors import describe
from airflow_provider_permitocr.sql.upsert import Row, key_names, upsert

#: A server that restarts, or hands over to another, is back within half a minute as a rule.
_ATTEMPTS: Final = 6
_FIRST_WAIT_SECONDS: Final = 1.0
_log = logging.getLogger(__name__)


def write_batch(
    engine: sa.Engine, table: sa.Table, rows: Sequence[Row], *, sleep: Callable[[float], object] = time.sleep
) -> dict[int, str]:
    """Write rows, replacing those with the same primary key; of rows with one key the last.

    All are written in one transaction, unless the database refuses some for what they hold: these are then
    looked for by halves, and the others are written in several. What a lock, a deadlock or a lost connection
    prevented is tried again; so is what may have been written already, which changes nothing.

    :param sleep: takes seconds.
    :return: the reason, without values, for each row that was refused, by its place.
    :raises SQLAlchemyError: when the database refuses the statement as such, or cannot be reached.
    """
    keys = key_names(table)
    last = {tuple(row[key] for key in keys): place for place, row in enumerate(rows)}
    return _write_or_halve(engine, table, rows, sorted(last.values()), sleep)


def _write_or_halve(
    engine: sa.Engine,
    table: sa.Table,
    rows: Sequence[Row],
    places: Sequence[int],
    sleep: Callable[[float], object],
) -> dict[int, str]:
    try:
        _write(engine, table, [rows[place] for place in places], sleep)
    except (SQLAlchemyError, ValueError, OverflowError) as error:
        if not blames_a_row(error):
            raise
        if len(places) == 1:
            return {places[0]: f"the table refuses it: {describe(error)}"}
    else:
        return {}
    half = len(places) // 2
    return {
        place: reason
        for some in (places[:half], places[half:])
        for place, reason in _write_or_halve(engine, table, rows, some, sleep).items()
    }


def _write(engine: sa.Engine, table: sa.Table, rows: Sequence[Row], sleep: Callable[[float], object]) -> None:
    """Write all rows or none, a few times if need be."""
    for attempt in range(1, _ATTEMPTS):
        try:
            return _write_once(engine, table, rows)
        except SQLAlchemyError as error:
            if not may_pass(error):
                raise
            # Jittered, so that two tasks that got into each other's way do not do so again.
            seconds = _FIRST_WAIT_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1)  # noqa: S311
            _log.warning(
                "writing %d rows failed: %s; trying again in %.1f s (%d of %d)",
                *(len(rows), describe(error), seconds, attempt, _ATTEMPTS - 1),
            )
        sleep(seconds)
    return _write_once(engine, table, rows)


def _write_once(engine: sa.Engine, table: sa.Table, rows: Sequence[Row]) -> None:
    if not rows:
        return
    with engine.begin() as connection:
        upsert(connection, table, rows)
