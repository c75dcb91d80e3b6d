"""Write one batch to the result table: retry transient errors, and isolate rows that it refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from airflow_provider_permitocr.counted import many
from airflow_provider_permitocr.sql.database.failures import blames_a_row, describe
from airflow_provider_permitocr.sql.database.patience import Patience
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.dialects.replacing import ALWAYS, Replacing, Row, key_names


def write_batch(
    engine: sa.Engine,
    table: sa.Table,
    rows: Sequence[Row],
    *,
    rule: Replacing = ALWAYS,
    fault: Callable[[Row], str | None] | None = None,
    patience: Patience = Patience(),
    most_refused: int | None = None,
) -> dict[int, str]:
    """Upsert rows by primary key. If a key occurs more than once, the last row wins.

    All rows go into one transaction. If the database refuses some for their values, a binary search isolates
    them, and the rest are written in several transactions. Locks, deadlocks and lost connections are retried;
    this is safe, as writing the same rows again changes nothing.

    :param rule: how rows are replaced.
    :param fault: returns why the table would change a row; None: it doesn't, or it raises an error itself.
    :param patience: how long to wait for the database.
    :param most_refused: stop once this many rows are refused; None: try all.
    :return: by the row's index, the reason for its refusal, without values; '' for a row that was not
        tried.
    :raises SQLAlchemyError: when the database refuses the statement itself, or cannot be reached.
    """
    keys = key_names(table)
    last = {tuple(row[key] for key in keys): place for place, row in enumerate(rows)}

    def write(some: Sequence[Row]) -> None:
        """Write all rows or none."""
        if some:
            patience.write(
                engine,
                lambda connection: database_of(connection).upsert(connection, table, some, rule),
                f"writing {many(len(some), 'row')} to the table {table.name!r}",
            )

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
    """Write the rows at these indexes, and add those that are refused to ``refused``.

    :param write: writes the rows at the given indexes, all or none.
    :param most_refused: stop once this many rows are refused; None: try all.
    :param blames_a_row: returns whether an error is caused by a row's values.
    :param describe: describes an error without a row's values.
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
