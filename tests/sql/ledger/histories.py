"""Histories as deliveries read them from a ledger, and the rows that a table then has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from airflow_provider_permitocr.engine.ledger.deliveries import Delivered
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.sql.ledger.deliveries.sql_delivery import SqlDelivery
from tests.sql.ledger.ground import TARGET
from tests.sql.ledger.processes import NOON, Process


def history(process: Process) -> SqlDelivery:
    return process.ledger.delivery(TARGET, keeps_history=True)


def in_chunks(delivery: SqlDelivery, most: int = 500, after: int = 0) -> list[Delivered]:
    """Read all changes as a delivery does, from one version to the next."""
    found: list[Delivered] = []
    while some := delivery.changes(after, most):
        assert [each.version for each in some] == sorted(each.version for each in some)
        assert some[0].version > after
        found += some
        after = some[-1].version
    return found


def rows_of(delivered: Sequence[Delivered]) -> dict[tuple[str, CardSide, datetime], Delivered]:
    """Return the rows that a table then has: of those with one key, that of the highest version."""
    rows: dict[tuple[str, CardSide, datetime], Delivered] = {}
    for each in delivered:
        assert each.standing.processed_at is not None
        key = (*each.row_key, each.standing.processed_at)
        if key not in rows or rows[key].version <= each.version:
            rows[key] = each
    return rows


def day(number: int) -> datetime:
    return NOON + timedelta(days=number)
