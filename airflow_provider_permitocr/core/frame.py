"""DataFrames at both ends: image references in, records with fixed columns and dtypes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from airflow_provider_permitocr.core.api import CardSide
from airflow_provider_permitocr.core.columns import COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.core.models import ImageKind, ImageRow, Record

#: Text in Python's own form: what form it takes by default depends on whether pyarrow is there, whose form
#: takes no lone surrogates. Days need no nanoseconds, and in seconds they reach further back than 1677.
DTYPES: Final[dict[ColumnKind, str]] = {
    ColumnKind.KEY: "string[python]",
    ColumnKind.TEXT: "string[python]",
    ColumnKind.LONG_TEXT: "string[python]",
    ColumnKind.DATE: "datetime64[s]",
    ColumnKind.BOOLEAN: "boolean",
    ColumnKind.INTEGER: "Int64",
    ColumnKind.FLOAT: "Float64",
    ColumnKind.TIMESTAMP: "datetime64[us, UTC]",
}


def image_rows(
    frame: pd.DataFrame,
    *,
    image: str,
    key: str | None,
    card_side: str | None,
    default_side: CardSide,
    image_kind: ImageKind = ImageKind.AUTO,
) -> list[ImageRow]:
    """Read a frame of image references.

    :param key: column for ``image_key``; None: the index.
    :param card_side: column with FRONT or BACK, missing for ``default_side``; None: all ``default_side``.
    :param image_kind: what the images are.
    :raises ValueError: for a column that is not there, a key that is missing, or a side that is neither
        FRONT nor BACK.
    """
    _require_columns(frame, [column for column in (image, key, card_side) if column])
    keys = frame.index if key is None else frame[key]
    if keyless := sum(map(_is_missing, keys)):
        place = "the index" if key is None else f"column {key!r}"
        raise ValueError(f"{place} has no key in {keyless} of {len(frame)} rows; fill or drop these rows")
    sides = [default_side] * len(frame) if card_side is None else _sides(frame[card_side], default_side)
    return [
        ImageRow(str(each_key), None if _is_missing(each_image) else each_image, side, kind=image_kind)
        for each_key, each_image, side in zip(keys, frame[image], sides, strict=True)
    ]


def carried_columns(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the columns to carry along, as they are.

    :raises ValueError: for a column that is not there, or has the name of one of the result's.
    """
    if isinstance(names, str):
        raise ValueError("carry_columns must be a list of columns, not one text")
    _require_columns(frame, names)
    if taken := [name for name in names if name in {column.name for column in COLUMNS}]:
        raise ValueError(f"the result has columns {', '.join(taken)} itself; rename what is carried along")
    return frame[list(names)]


def _require_columns(frame: pd.DataFrame, names: Sequence[str]) -> None:
    if missing := [name for name in names if name not in frame.columns]:
        raise ValueError(
            f"the frame has no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}"
        )


def _sides(column: pd.Series[Any], default_side: CardSide) -> list[CardSide]:
    try:
        return [default_side if _is_missing(side) else CardSide(str(side).strip().upper()) for side in column]
    except ValueError:
        raise ValueError(f"column {column.name!r} may hold FRONT, BACK or missing values alone") from None


def _is_missing(value: Any) -> bool:
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def to_frame(records: Sequence[Record], columns: Sequence[Column] = COLUMNS) -> pd.DataFrame:
    """Build the frame, one row per record in the same order.

    :param columns: of the result; they are there with their dtypes even where there are no records.
    """
    series = {
        column.name: pd.Series([record.get(column.name) for record in records], dtype=DTYPES[column.kind])
        for column in columns
    }
    return pd.DataFrame(series)


def to_rows(frame: pd.DataFrame, columns: Sequence[Column] = COLUMNS) -> list[dict[str, Any]]:
    """Turn a frame of ``to_frame`` into plain Python values for a database driver; missing is None."""
    plain = {}
    for column in columns:
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
