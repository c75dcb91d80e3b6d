"""Records of erasures: what and when, without the erased data."""

from __future__ import annotations

import uuid
from typing import Any

import sqlalchemy as sa

from airflow_provider_permitocr.engine.erasure.ports import ErasedImages
from airflow_provider_permitocr.options.erasure import ErasureRule
from airflow_provider_permitocr.sql.ledger.open_list import OpenList
from airflow_provider_permitocr.sql.ledger.tables.clock import now


def begin_erasure(opened: OpenList, rule: ErasureRule, erased_by: str) -> str:
    """Write down that an erasure begins; return its id."""
    erasure_id = uuid.uuid4().hex
    row = {
        "erasure_id": erasure_id,
        "list_id": opened.list_id,
        "rule": str(rule),
        "keys_digest": rule.keys_digest,
        "erased_by": erased_by,
        "started_at": now(opened.connection),
    }
    opened.connection.execute(sa.insert(opened.tables.erasures), [row])
    return erasure_id


def note_erased(opened: OpenList, erasure_id: str, erased: ErasedImages) -> None:
    """Write down how many images and answers it has dealt with so far."""
    _update(opened, erasure_id, images=erased.images, answers=erased.answers)


def end_erasure(opened: OpenList, erasure_id: str, outcome: str) -> None:
    """Write down that it has ended."""
    _update(opened, erasure_id, ended_at=now(opened.connection), outcome=outcome)


def _update(opened: OpenList, erasure_id: str, **values: Any) -> None:
    erasures = opened.tables.erasures
    opened.connection.execute(sa.update(erasures).where(erasures.c.erasure_id == erasure_id).values(values))
