"""What is left after a scenario: the emulator's journal, the result table, the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString

import psycopg
from psycopg.rows import dict_row

from demo.emulator_calls import Call

RESULTS: Final = "SELECT image_key, card_side, status, error_code FROM permits"
ENTRIES: Final = "SELECT call_id, image_key, code, billed FROM calls"
COMMITTED: Final = "SELECT image_key FROM permits"
_OTHER_SESSIONS: Final = """
SELECT count(*) AS sessions FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


@dataclass(frozen=True)
class Row:
    """A row of the result table."""

    image_key: str
    card_side: str
    status: str
    error_code: str | None = None


@dataclass(frozen=True)
class Entry:
    """A row of the ledger.

    :param code: ``OK``, ``NotSent`` or an error code; None: nobody knows what became of the call.
    :param billed: 1 or 0; None: nobody knows.
    """

    call_id: str
    image_key: str
    code: str | None
    billed: int | None


@dataclass(frozen=True)
class Evidence:
    """All that is known once a scenario is over.

    :param keys: keys of the listed images by the SHA-256 of their files.
    :param calls: the emulator's journal, the only witness of what was called and answered.
    :param right: listed images that were recognized with the number that is on them.
    """

    keys: Mapping[str, str]
    calls: Sequence[Call]
    rows: Sequence[Row]
    entries: Sequence[Entry]
    right: int


def read(dsn: str, query: LiteralString) -> list[dict[str, Any]]:
    """Return the rows of a query; none where its table is missing."""
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        try:
            return connection.execute(query).fetchall()
        except psycopg.errors.UndefinedTable:
            return []


def other_sessions(dsn: str) -> int:
    """Count the sessions that others have in a database: a dead client's last one may still commit."""
    (row,) = read(dsn, _OTHER_SESSIONS)
    return int(row["sessions"])
