"""One list of a ledger in an open transaction: what most statements about a list need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import sqlalchemy as sa

from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables

T = TypeVar("T")
#: Returns the tables and the list, once the ledger is prepared.
Where: TypeAlias = Callable[[], tuple[LedgerTables, int]]


@dataclass(frozen=True)
class OpenList:
    """One list of a ledger.

    :param connection: in whose transaction the list is read or changed.
    :param tables: of the ledger.
    """

    connection: sa.Connection
    tables: LedgerTables
    list_id: int


def on_list(where: Where, do: Callable[[OpenList], T]) -> Callable[[sa.Connection], T]:
    """Return what does something to a list, given a connection."""
    return lambda connection: do(OpenList(connection, *where()))
