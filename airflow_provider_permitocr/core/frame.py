"""Records as a DataFrame with the same columns and dtypes, whatever is in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from airflow_provider_permitocr.core.columns import COLUMNS, ColumnKind
from airflow_provider_permitocr.core.models import Record

#: Days need no nanoseconds, and in seconds they reach further back than 1677.
DTYPES: Final[dict[ColumnKind, str]] = {
    ColumnKind.KEY: "string",
    ColumnKind.TEXT: "string",
    ColumnKind.LONG_TEXT: "string",
    ColumnKind.DATE: "datetime64[s]",
    ColumnKind.BOOLEAN: "boolean",
    ColumnKind.INTEGER: "Int64",
    ColumnKind.TIMESTAMP: "datetime64[us, UTC]",
}


def to_frame(records: Sequence[Record]) -> pd.DataFrame:
    """Build the frame, one row per record in the same order; columns as in ``core/columns.py``."""
    columns = {
        column.name: pd.Series([record.get(column.name) for record in records], dtype=DTYPES[column.kind])
        for column in COLUMNS
    }
    return pd.DataFrame(columns)


def to_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn a frame of ``to_frame`` into plain Python values for a database driver; missing is None."""
    plain = {}
    for column in COLUMNS:
        series = frame[column.name]
        values = list(series.astype(object))
        if column.kind is ColumnKind.DATE:
            values = [None if pd.isna(value) else value.date() for value in values]
        elif column.kind is ColumnKind.TIMESTAMP:
            values = [None if pd.isna(value) else value.to_pydatetime() for value in values]
        else:
            values = [None if pd.isna(value) else value for value in values]
        plain[column.name] = values
    return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]
