"""What is left after a scenario: the emulator's journal, the result table, the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from labs.chaos.databases import Database
from labs.ground.emulator_calls import Call

_RESULTS: Final = "SELECT image_key, card_side, status, error_code FROM {permits}"
_ENTRIES: Final = """
SELECT calls.call_id, calls.image_key, calls.map_index, calls.code, calls.billed,
    CASE WHEN answers.call_id IS NULL THEN 0 ELSE 1 END AS has_answer
FROM permit_ocr_calls calls
JOIN permit_ocr_lists lists ON lists.list_id = calls.list_id
LEFT JOIN permit_ocr_answers answers ON answers.call_id = calls.call_id
WHERE lists.source_table = :listed
"""
_RECOGNIZED: Final = """
SELECT images.image_key
FROM permit_ocr_images images JOIN permit_ocr_lists lists ON lists.list_id = images.list_id
WHERE lists.source_table = :listed AND images.status = 'recognized'
"""
_COUNTED: Final = "SELECT sum(calls) AS calls FROM permit_ocr_counters WHERE period LIKE :period"
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
    """A call in the ledger.

    :param code: ``OK``, ``NotSent`` or an error code; None: the outcome is unknown.
    :param billed: 1 or 0; None: unknown.
    :param has_answer: whether its answer is stored.
    :param map_index: the mapped task that made it.
    """

    call_id: str
    image_key: str
    code: str | None
    billed: int | None
    has_answer: bool = True
    map_index: int = -1


@dataclass(frozen=True)
class Evidence:
    """All that is known of one list once a scenario is over.

    :param keys: keys of the listed images by the SHA-256 of their files.
    :param calls: the emulator's journal, the only witness of what was called and answered.
    :param right: listed images that were recognized with the number that is on them.
    """

    keys: Mapping[str, str]
    calls: Sequence[Call]
    rows: Sequence[Row]
    entries: Sequence[Entry]
    right: int


def results(warehouse: Database, permits: str) -> list[Row]:
    """Return the rows of a result table; empty if the table does not exist."""
    return [Row(**row) for row in warehouse.read(_RESULTS.format(permits=permits))]


def entries(ledger: Database, listed: str) -> list[Entry]:
    """Return the calls of a list; empty if there is no ledger.

    :param listed: table of the list.
    """
    return [
        Entry(**row | {"has_answer": bool(row["has_answer"])}) for row in ledger.read(_ENTRIES, listed=listed)
    ]


def recognized(ledger: Database, listed: str) -> frozenset[str]:
    """Return the keys of the images with an answer in the ledger; empty if there is no ledger.

    :param listed: table of the list.
    """
    return frozenset(row["image_key"] for row in ledger.read(_RECOGNIZED, listed=listed))


def counted_calls(ledger: Database, period: str) -> int:
    """Return the sum of the ledger's call counters.

    :param period: pattern of their periods, such as ``day %``.
    """
    (row,) = ledger.read(_COUNTED, period=period)
    return int(row["calls"] or 0)


def other_sessions(database: Database) -> int:
    """Count the sessions that others have in a database: a dead client's last one may still commit."""
    (row,) = database.read(_OTHER_SESSIONS)
    return int(row["sessions"])
