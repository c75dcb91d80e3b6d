"""One batch into the result table: tried again where that may help, and without the rows that it refuses."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.sql.error_codes import blames_a_row
from airflow_provider_permitocr.sql.errors import describe
from airflow_provider_permitocr.sql.patience import Patience
from airflow_provider_permitocr.sql.upsert import Row, key_names, upsert


def write_batch(
    engine: sa.Engine, table: sa.Table, rows: Sequence[Row], *, patience: Patience = Patience()
) -> dict[int, str]:
    """Write rows, replacing those with the same primary key; of rows with one key the last.

    All are written in one transaction, unless the database refuses some for what they hold: these are then
    looked for by halves, and the others are written in several. What a lock, a deadlock or a lost connection
    prevented is tried again; so is what may have been written already, which changes nothing.

    :param patience: how long to wait for the database.
    :return: the reason, without values, for each row that was refused, by its place.
    :raises SQLAlchemyError: when the database refuses the statement as such, or cannot be reached.
    """
    keys = key_names(table)
    last = {tuple(row[key] for key in keys): place for place, row in enumerate(rows)}
    return _write_or_halve(engine, table, rows, sorted(last.values()), patience)


def _write_or_halve(
    engine: sa.Engine,
    table: sa.Table,
    rows: Sequence[Row],
    places: Sequence[int],
    patience: Patience,
) -> dict[int, str]:
    try:
        _write(engine, table, [rows[place] for place in places], patience)
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
        for place, reason in _write_or_halve(engine, table, rows, some, patience).items()
    }


def _write(engine: sa.Engine, table: sa.Table, rows: Sequence[Row], patience: Patience) -> None:
    """Write all rows or none."""
    if not rows:
        return

    def write_once() -> None:
        with engine.begin() as connection:
            upsert(connection, table, rows)

    patience.wait_out(write_once, f"writing {len(rows)} rows to the table {table.name!r}")
