"""Makes a list whose rows are all done: in the ledger's database, in another one, and in SQLite."""

from __future__ import annotations

import sys

import psycopg
import sqlalchemy as sa

from labs.bench.programs.lists.filled import deliver_all, fill_ledger, make_list, settle_down
from labs.bench.programs.stubbed import engine

_AT_ONCE = 10_000


def main(dsn: str, elsewhere: str, sqlite_file: str, rows: str) -> None:
    """Make all of it.

    :param dsn: database of list, ledger and result.
    :param elsewhere: another database, for a copy of the list.
    :param sqlite_file: for another copy.
    """
    make_list(dsn, int(rows))
    make_list(elsewhere, int(rows))
    database = engine(dsn)
    ledger = fill_ledger(database, int(rows))
    known = ledger.where()
    assert known
    deliver_all(database, known[0], int(rows))
    settle_down(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        _copy_to_sqlite(connection, sqlite_file)


def _copy_to_sqlite(connection: psycopg.Connection, file: str) -> None:
    copy = sa.create_engine(f"sqlite:///{file}")
    with copy.begin() as lite, connection.transaction(), connection.cursor(name="images") as images:
        lite.exec_driver_sql("CREATE TABLE images (image_id TEXT PRIMARY KEY, image TEXT)")
        images.execute("SELECT image_id, image FROM images")
        while rows := images.fetchmany(_AT_ONCE):
            lite.exec_driver_sql("INSERT INTO images VALUES (?, ?)", rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
