"""Loads what earlier runs could not write: a later one finds it before it looks for what is to be done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.columns import Column
from airflow_provider_permitocr.core.errors import TargetError
from airflow_provider_permitocr.core.load import Loader
from airflow_provider_permitocr.core.models import Previous, Record, RowKey
from airflow_provider_permitocr.core.ports import ResultTarget, Spill
from airflow_provider_permitocr.core.progress import Log

_ROWS_AT_ONCE: Final = 1_000


def load_spilled(
    spill: Spill, target: ResultTarget, loader: Loader, columns: Sequence[Column], log: Log
) -> int:
    """Write what earlier runs have kept for this result, but where it says something newer of an image.

    :return: how many rows were written.
    :raises TargetError: when the table refuses them again; they stay where they are.
    """
    loaded = 0
    for name, records in spill.pending(columns):
        loader.import_frame()
        written = 0
        for start in range(0, len(records), _ROWS_AT_ONCE):
            wanted = _not_outdated(records[start : start + _ROWS_AT_ONCE], target)
            try:
                loader.write_again(wanted)
            except TargetError as error:
                error.also(f"These are results of an earlier run, kept in {name}")
                raise
            written += len(wanted)
        spill.discard(name)
        log.info(f"Loaded {written:,} of {len(records):,} results of an earlier run from {name}")
        loaded += written
    return loaded


def _not_outdated(records: Sequence[Record], target: ResultTarget) -> list[Record]:
    previous = target.previous([_row_key(record) for record in records])
    latest: dict[RowKey, Record] = {}
    for record in records:
        if not _is_outdated(record, previous.get(_row_key(record))):
            latest[_row_key(record)] = record
    return list(latest.values())


def _is_outdated(record: Record, known: Previous | None) -> bool:
    made_at = record["processed_at"]
    if known is None or known.processed_at is None or not isinstance(made_at, datetime):
        return False
    return known.processed_at > made_at


def _row_key(record: Record) -> RowKey:
    return str(record["image_key"]), CardSide(str(record["card_side"]))
