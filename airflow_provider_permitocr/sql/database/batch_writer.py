"""One batch into the result table: tried again where that may help, and without the rows that it refuses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import sqlalchemy as sa

from airflow_provider_permitocr.sql.database.failures import blames_a_row, describe
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.database.upsert import upsert
from airflow_provider_permitocr.sql.dialects.replacing import Row, key_names


def write_batch(
    engine: sa.Engine,
    table: sa.Table,
    rows: Sequence[Row],
    *,
    guard: str | None = None,
    keep: Collection[str] = (),
    fault: Callable[[Row], str | None] | None = None,
    patience: Patience = Patience(),
    most_refused: int | None = None,
) -> dict[int, str]:
    """Write rows, replacing those with the same primary key; of rows with one key the last.

    All are written in one transaction, unless the database refuses some for what they hold: these are then
    looked for by halves, and the others are written in several. What a lock, a deadlock or a lost connection
    prevented is tried again; so is what may have been written already, which changes nothing.

    :param guard, keep: as for ``upsert``.
    :param fault: says why the table would not keep a row as it is; None: it keeps all, or says so itself.
    :param patience: how long to wait for the database.
    :param most_refused: once so many rows are refused, no more are tried; None: all are.
    :return: the reason, without values, for each row that was refused, by its place; '' for one that was
        not tried.
    :raises SQLAlchemyError: when the database refuses the statement as such, or cannot be reached.
    """
    keys = key_names(table)
    last = {tuple(row[key] for key in keys): place for place, row in enumerate(rows)}

    def write(some: Sequence[Row]) -> None:
        """Write all rows or none."""

        def write_once() -> None:
            with engine.begin() as connection:
                upsert(connection, table, some, guard=guard, keep=keep)

        if some:
            patience.wait_out(write_once, f"writing {len(some)} rows to the table {table.name!r}")

    places = sorted(last.values())
    found = {place: fault(rows[place]) for place in places} if fault else {}
    refused = {place: f"the table cannot hold it: {why}" for place, why in found.items() if why}
    write_or_halve(
        lambda places: write([rows[place] for place in places]),
        [place for place in places if place not in refused],
        refused,
        most_refused,
        blames_a_row=blames_a_row,
        describe=describe,
    )
    return refused


def write_or_halve(
    write: Callable[[Sequence[int]], None],
    places: Sequence[int],
    refused: dict[int, str],
    most_refused: int | None,
    *,
    blames_a_row: Callable[[Exception], bool],
    describe: Callable[[Exception], str],
) -> None:
    """Write the rows at these places, and note in ``refused`` those that are not written.

    :param write: writes the rows at some places, all or none.
    :param most_refused: once so many are, no more are tried; None: all are.
    :param blames_a_row: tells whether an error is about what one of the rows holds.
    :param describe: says an error without the values of a row.
    """
    if most_refused is not None and len(refused) >= most_refused:
        refused |= dict.fromkeys(places, "")
        return
    try:
        write(places)
    except Exception as error:
        if not blames_a_row(error):
            raise
        if len(places) == 1:
            refused[places[0]] = f"the table refuses it: {describe(error)}"
            return
    else:
        return
    half = len(places) // 2
    for some in (places[:half], places[half:]):
        write_or_halve(write, some, refused, most_refused, blames_a_row=blames_a_row, describe=describe)
