"""Records of erasures: what and when, without the erased data."""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.engine.erasure.ports import ErasedImages
from airflow_provider_permitocr.options.erasure import ErasureRule
from airflow_provider_permitocr.sql.ledger.tables.clock import now
from airflow_provider_permitocr.sql.ledger.tables.schema import LedgerTables


def begin_erasure(
    connection: sa.Connection, tables: LedgerTables, list_id: int, rule: ErasureRule, erased_by: str
) -> str:
    """Write down that an erasure begins; return its id."""
    erasure_id = uuid.uuid4().hex
    row = {
        "erasure_id": erasure_id,
        "list_id": list_id,
        "rule": str(rule),
        "keys_digest": rule.keys_digest,
        "erased_by": erased_by,
        "started_at": now(connection),
    }
    connection.execute(sa.insert(tables.erasures), [row])
    return erasure_id


def note_erased(
    connection: sa.Connection, tables: LedgerTables, erasure_id: str, erased: ErasedImages
) -> None:
    """Write down how many images and answers it has dealt with so far."""
    _update(connection, tables, erasure_id, images=erased.images, answers=erased.answers)


def end_erasure(connection: sa.Connection, tables: LedgerTables, erasure_id: str, outcome: str) -> None:
    """Write down that it has ended."""
    _update(connection, tables, erasure_id, ended_at=now(connection), outcome=outcome)


def _update(connection: sa.Connection, tables: LedgerTables, erasure_id: str, **values: Any) -> None:
    erasures = tables.erasures
    connection.execute(sa.update(erasures).where(erasures.c.erasure_id == erasure_id).values(values))
