"""Runs with only refused rows to handle: the number of statements of each."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
import sqlalchemy as sa

from labs.bench.programs.lists.filled import deliver_all, fill_ledger, make_list, refuse_odd_rows, settle_down
from labs.bench.programs.stubbed import engine, run_stubbed

_NUMBER: Final = "right(image_key, 9)::int"
#: By case, the rows with an answer that the table accepts; it has refused those with an odd number.
CASES: Final = {"none": f"{_NUMBER} % 2 = 0", "second": f"{_NUMBER} % 4 <> 1", "all": "true"}
#: Stand-ins have no answer, and are always accepted.
_CHECK: Final = """
ALTER TABLE permits DROP CONSTRAINT IF EXISTS odd_rows;
ALTER TABLE permits ADD CONSTRAINT odd_rows CHECK (number IS NULL OR {})
"""
_BY_STATUS: Final = "SELECT count(*) FROM permits WHERE status = 'recognized'"
_REFUSED: Final = "SELECT count(*) FROM permit_ocr_refused"


def main(dsn: str, refused: str) -> None:
    """Print the statements of a run without refused rows, and of one for each case, with what it delivered.

    :param dsn: of an empty database.
    :param refused: how many of twice as many rows are refused.
    """
    database, rows = engine(dsn), 2 * int(refused)
    make_list(dsn, rows)
    known = fill_ledger(database, rows).where()
    assert known
    deliver_all(database, known[0], rows)
    settle_down(dsn)
    _run(dsn)  # the first may have more to look at
    seen: dict[str, Any] = {"without": _run(dsn), "cases": {}}
    with psycopg.connect(dsn, autocommit=True) as connection:
        for case in CASES:
            refuse_odd_rows(database, known[0])
            settle_down(dsn)
            connection.execute(check(case))
            statements = _run(dsn)
            left = _count(connection, _REFUSED)
            if _count(connection, _BY_STATUS) != rows - left:
                raise RuntimeError(f"rows were lost: {left} are refused, the others are not all delivered")
            seen["cases"][case] = {"statements": statements, "delivered": int(refused) - left}
    sys.stdout.write(json.dumps(seen))


def check(case: str) -> bytes:
    """Return the SQL that gives the table a CHECK."""
    return _CHECK.format(CASES[case]).encode()


def _run(dsn: str) -> int:
    """Run over the list, whose rows are all done, and count the statements."""
    with _counted() as statements:
        summary = run_stubbed(dsn)
    if summary.calls or summary.skipped != summary.listed:
        raise RuntimeError(f"a run over finished rows did something: {summary}")
    return len(statements)


@contextmanager
def _counted() -> Iterator[list[str]]:
    """Gather the statements that all engines send meanwhile, but for the begin and end of transactions."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def _count(connection: psycopg.Connection, statement: str) -> int:
    row = connection.execute(statement.encode()).fetchone()
    assert row
    return int(row[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
