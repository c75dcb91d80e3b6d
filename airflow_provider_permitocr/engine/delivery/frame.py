"""DataFrames at both ends: image references in, records with fixed columns and dtypes out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from airflow_provider_permitocr.engine.key_text import key_text
from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.options.lists.image_list import ImageKind
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import COLUMNS, Column, ColumnKind, Record
from airflow_provider_permitocr.permit.privacy import Protection
from airflow_provider_permitocr.permit.replacement import Method

#: Python's own strings: the default depends on whether pyarrow is installed, whose strings refuse lone
#: surrogates. Days need no nanoseconds, and in seconds they reach further back than 1677.
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
    declared: pd.DataFrame | None = None,
) -> list[ImageRow]:
    """Read a frame of image references.

    :param key: column for ``image_key``; None: the index.
    :param card_side: column with FRONT or BACK, missing for ``default_side``; None: all ``default_side``.
    :param image_kind: what the images are.
    :param declared: columns of the same rows that answers are compared with.
    :raises ValueError: for a column that is not there or is there twice, a key that is missing, or a side
        that is neither FRONT nor BACK.
    """
    _require_columns(frame, [column for column in (image, key, card_side) if column])
    keys = frame.index if key is None else frame[key]
    if keyless := sum(map(_is_missing, keys)):
        place = "the index" if key is None else f"column {key!r}"
        raise ValueError(f"{place} has no key in {keyless} of {len(frame)} rows; fill or drop these rows")
    sides = [default_side] * len(frame) if card_side is None else _sides(frame[card_side], default_side)
    return [
        ImageRow(
            key_text(each_key),
            None if _is_missing(each_image) else each_image,
            side,
            kind=image_kind,
            declared=each_declared,
        )
        for each_key, each_image, side, each_declared in zip(
            keys, frame[image], sides, _declared(declared, len(frame)), strict=True
        )
    ]


def _declared(columns: pd.DataFrame | None, rows: int) -> list[Record]:
    if columns is None or columns.empty:
        return [{} for _ in range(rows)]
    plain = columns.astype(object).where(columns.notna(), None)
    return [
        dict(zip(map(str, columns), row, strict=True)) for row in plain.itertuples(index=False, name=None)
    ]


def carried_columns(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the columns to copy, unchanged.

    :raises ValueError: for a column that does not exist, is there twice, or has the name of a result column.
    """
    if isinstance(names, str):
        raise ValueError("carry_columns must be a list of columns, not one text")
    _require_columns(frame, names)
    if taken := [name for name in names if name in {column.name for column in COLUMNS}]:
        raise ValueError(f"the result has columns {', '.join(taken)} already; rename the copied columns")
    return frame[list(names)]


def protected_columns(carried: pd.DataFrame, protection: Protection) -> pd.DataFrame:
    """Return the columns to copy, protected by a policy; unprotected ones keep their dtypes."""

    def protected(name: str) -> pd.Series:
        given = [None if _is_missing(value) else value for value in carried[name]]
        left = [protection.protect_carried({name: value}, is_new=True)[name] for value in given]
        return pd.Series(left, carried.index, dtype=object)

    hidden = [name for name, method in protection.carried.items() if method is not Method.KEEP]
    return carried.assign(**{name: protected(name) for name in hidden})


class FrameAnswers:
    """Records of a frame's rows, by position: it may have an image, or a label of its index, twice.

    :param rows: of the frame, in its order.
    :param carried: columns of the same rows that are copied into the answer.
    """

    def __init__(self, frame: pd.DataFrame, rows: Sequence[ImageRow], carried: pd.DataFrame) -> None:
        self._index, self._rows, self._carried = frame.index, rows, carried
        self._places = {id(row): place for place, row in enumerate(rows)}
        self._records: list[Record] = [{} for _ in rows]

    def keep(self, row: ImageRow, record: Record) -> None:
        """Keep a row's record."""
        self._records[self._places[id(row)]] = record

    def answered(self) -> pd.DataFrame:
        """Return the rows that have a record."""
        return self._framed([place for place, record in enumerate(self._records) if record])

    def whole(self) -> pd.DataFrame:
        """Return all rows; those without a record have a key and a side alone."""
        return self._framed(range(len(self._rows)))

    def _framed(self, places: Sequence[int]) -> pd.DataFrame:
        answer = to_frame([self._records[each] or _untried(self._rows[each]) for each in places])
        names = [str(name) for name in self._carried.columns]
        columns = {name: self._carried[name].array[places] for name in names}
        return answer.set_index(self._index[places]).assign(**columns)


def _untried(row: ImageRow) -> Record:
    return {"image_key": row.image_key, "card_side": row.card_side.value}


def require_frame(given: object) -> None:
    """Refuse anything but a DataFrame.

    :raises TypeError: saying what to do.
    """
    if not isinstance(given, pd.DataFrame):
        raise TypeError(
            f"recognize_frame takes a pandas DataFrame, not {type(given).__name__}; for a list of images:"
            ' pd.DataFrame({"image": images})'
        )


def _require_columns(frame: pd.DataFrame, names: Sequence[str]) -> None:
    if missing := [name for name in names if name not in frame.columns]:
        has = ", ".join(map(str, frame.columns)) or "no columns"
        raise ValueError(f"the frame has no column {', '.join(map(str, missing))}; it has {has}")
    columns = list(frame.columns)
    if repeated := [name for name in names if columns.count(name) > 1 or names.count(name) > 1]:
        several = ", ".join(map(str, dict.fromkeys(repeated)))
        raise ValueError(f"the frame has column {several} more than once, or it is asked for twice")


def _sides(column: pd.Series[Any], default_side: CardSide) -> list[CardSide]:
    try:
        return [default_side if _is_missing(side) else CardSide(str(side).strip().upper()) for side in column]
    except ValueError:
        raise ValueError(f"column {column.name!r} may hold only FRONT, BACK or missing values") from None


def _is_missing(value: Any) -> bool:
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def to_frame(records: Sequence[Record], columns: Sequence[Column] = COLUMNS) -> pd.DataFrame:
    """Build the frame, one row per record in the same order.

    :param columns: of the result; even without records, they exist with their dtypes.
    :raises ValueError: naming the column whose dtype cannot hold a value, such as a time before the year 1.
    """
    arrays = {}
    for column in columns:
        try:
            arrays[column.name] = _ARRAYS[column.kind]([record.get(column.name) for record in records])
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # Cut off from its cause, which quotes the value.
            reason = f"{type(error).__name__} in column {column.name!r}, of kind {column.kind.value}"
            raise ValueError(reason) from None
    return pd.DataFrame(arrays, index=pd.RangeIndex(len(records)), copy=False)


def refused_by_frame(records: Sequence[Record], columns: Sequence[Column] = COLUMNS) -> dict[int, str]:
    """Find the records that ``to_frame`` cannot take.

    :return: the reason for each, without values, by its place.
    """
    refused = {}
    for place, record in enumerate(records):
        try:
            to_frame([record], columns)
        except ValueError as error:
            refused[place] = str(error)
    return refused


def to_rows(frame: pd.DataFrame, columns: Sequence[Column] = COLUMNS) -> list[dict[str, Any]]:
    """Convert a frame of ``to_frame`` to plain Python values for a database driver; missing is None."""
    series = dict(frame.items())  # takes half as long as looking up each by name
    plain = {column.name: plain_values(series[column.name], column.kind) for column in columns}
    return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]


def plain_values(series: pd.Series[Any], kind: ColumnKind) -> list[Any]:
    """Convert a column of a frame of ``to_frame`` to plain Python values; missing is None."""
    if kind is ColumnKind.DATE:
        return series.to_numpy().astype("datetime64[D]").tolist()
    if kind is ColumnKind.TIMESTAMP:
        moments = np.asarray(series.array, dtype="datetime64[us]").tolist()
        return [moment and moment.replace(tzinfo=UTC) for moment in moments]
    plain: list[Any] = series.array.to_numpy(dtype=object, na_value=None).tolist()
    return plain


# The following does what pandas does for a list and a dtype, several times as fast. Its cost is per column
# and batch rather than per value, and batches are small.


def _text_array(values: list[Any]) -> _Array:
    objects = np.empty(len(values), dtype=object)
    objects[:] = values
    return pd.array(objects, dtype=_TEXT, copy=False)


def _days_array(values: list[Any]) -> _Array:
    days = [_NAT if value is None else value.toordinal() - _EPOCH_DAY for value in values]
    return np.array(days, dtype="int64").view("datetime64[D]").astype("datetime64[s]")


def _times_array(values: list[Any]) -> _Array:
    moments = np.array([_NAT if value is None else _microseconds(value) for value in values], dtype="int64")
    return pd.array(moments.view("datetime64[us]"), dtype=_TIME)


def _microseconds(moment: datetime) -> int:
    # A time without a zone is UTC. If its UTC is outside of Python's years, refuse it here, where its row is
    # known, and not in the driver.
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND


def _booleans_array(values: list[Any]) -> _Array:
    missing = np.array([value is None for value in values], dtype=bool)
    # A driver's 0 and 1 are equal to them; anything else is a KeyError.
    known = [False if value is None else _BOOLEANS[value] for value in values]
    return pd.arrays.BooleanArray(np.array(known, dtype=bool), missing)


def _integers_array(values: list[Any]) -> _Array:
    missing = np.array([value is None for value in values], dtype=bool)
    numbers = [0 if value is None else _whole(value) for value in values]
    return pd.arrays.IntegerArray(np.array(numbers, dtype="int64"), missing)


def _whole(value: Any) -> int:
    number = int(value)
    if number != value:
        raise ValueError("not a whole number")
    return number


def _floats_array(values: list[Any]) -> _Array:
    numbers = np.array([math.nan if value is None else float(value) for value in values], dtype="float64")
    return pd.arrays.FloatingArray(numbers, np.isnan(numbers))


_Array: TypeAlias = "pd.api.extensions.ExtensionArray | np.ndarray[Any, Any]"
_TEXT: Final = pd.StringDtype("python")
_TIME: Final = pd.DatetimeTZDtype("us", "UTC")
_BOOLEANS: Final = {False: False, True: True}
_NAT: Final = -(2**63)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)
_ARRAYS: Final[dict[ColumnKind, Callable[[list[Any]], _Array]]] = {
    ColumnKind.KEY: _text_array,
    ColumnKind.TEXT: _text_array,
    ColumnKind.LONG_TEXT: _text_array,
    ColumnKind.DATE: _days_array,
    ColumnKind.BOOLEAN: _booleans_array,
    ColumnKind.INTEGER: _integers_array,
    ColumnKind.FLOAT: _floats_array,
    ColumnKind.TIMESTAMP: _times_array,
}
