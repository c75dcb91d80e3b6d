"""Where the image list comes from, as a DAG author writes it.

Plain values, checked when the DAG is parsed; nothing here imports SQLAlchemy or opens a connection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final

from airflow_provider_permitocr.options.readable import NAMES_ONLY, Readable, is_template
from airflow_provider_permitocr.options.validation import (
    check,
    choice,
    instance_of,
    listed,
    optional,
    table_name,
    text,
    time_zone,
)
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.permit.columns import COLUMNS, ColumnKind

#: What returns other rows at another time without a change of data.
_CHANGING: Final = re.compile(
    r"\b(now|current_date|current_time(stamp)?|local_?time(stamp)?|sysdate|systimestamp|getdate|curdate"
    r"|curtime|utc_date|utc_timestamp|unix_timestamp|today|random|rand|limit|top)\b|'now'",
    re.IGNORECASE,
)


class ImageKind(StrEnum):
    """What an image list's image column holds."""

    AUTO = "auto"
    URL = "url"
    PATH = "path"
    BASE64 = "base64"
    DATA_URI = "data_uri"
    BYTES = "bytes"


@dataclass(frozen=True, kw_only=True, repr=False)
class Carry(Readable):
    """A column of the image list that is copied into the result.

    :param column: its name in the list.
    :param name: its name in the result, if it should differ; names of the result's columns are taken.
    :param kind: type of its values: text, integer, float, date, boolean or
        timestamp. By default the type in the list's database, or else text.
    """

    column: str = field(kw_only=False)
    name: str | None = None
    kind: ColumnKind | str | None = None

    def __post_init__(self) -> None:
        check(self, column=text(), name=optional(text()), kind=optional(choice(ColumnKind)))

    @property
    def result_name(self) -> str:
        """Its name in the result."""
        return self.name or self.column


class NullKeys(StrEnum):
    """What rows of an image list without a key mean."""

    REFUSE = "refuse"  #: the list is refused before its first call
    SKIP = "skip"  #: they are left out, and the log counts them


@dataclass(frozen=True, kw_only=True, repr=False)
class _ImageColumns(Readable):
    """The columns of every image list.

    :param conn_id: Airflow connection of the database: PostgreSQL, MySQL, MariaDB, SQLite or DuckDB.
    :param key: column that identifies the image; not NULL, and unique per card side.
    :param null_keys: ``refuse`` a list that has rows without a key, or ``skip`` these rows with a warning.
    :param image: column with the image: http(s) URL, file path or URL, URL of an object store
        (``s3://bucket/key``), base64, data: URI, or bytes.
    :param image_kind: which of these it holds, if the value itself should not decide.
    :param card_side: column that holds FRONT or BACK; NULL there means ``default_side``.
    :param updated_at: column with the time of the image's last change; a later time than at the last
        recognition means that the image is recognized again.
    :param default_side: the side of images without a side in a column.
    :param back_image: column with the back of the document whose front is in ``image``; NULL in either of
        them means that there is no such image.
    :param carry_columns: further columns that are copied into the result, by name or as a ``Carry``.
    :param order_by: column to sort the list by; a leading minus sign means descending: ``-uploaded_at`` takes
        the newest images first. By default the key.
    :param timezone: time zone of the list's times without one, such as ``Asia/Hong_Kong`` (a name of the IANA
        time zone database); by default UTC. Columns that keep moments, such as PostgreSQL's ``timestamptz``
        and MySQL's ``TIMESTAMP``, do not need it.
    """

    conn_id: str
    key: str
    image: str
    card_side: str | None = None
    updated_at: str | None = None
    default_side: CardSide | str = CardSide.FRONT
    image_kind: ImageKind | str = ImageKind.AUTO
    back_image: str | None = None
    carry_columns: Sequence[str | Carry] = ()
    order_by: str | None = None
    timezone: str = "UTC"
    null_keys: NullKeys | str = NullKeys.REFUSE

    def __post_init__(self) -> None:
        column = text("the name of one column")
        check(
            self,
            conn_id=text(),
            key=column,
            image=column,
            back_image=optional(column),
            card_side=optional(column),
            updated_at=optional(column),
            order_by=optional(column),
            default_side=choice(CardSide, "put a column that has the side in card_side"),
            image_kind=choice(ImageKind),
            null_keys=choice(NullKeys),
            carry_columns=listed("columns"),
            timezone=time_zone(),
        )
        self._check_columns()

    def _check_columns(self) -> None:
        owner = type(self).__name__
        for each in self.carry_columns:
            if not isinstance(each, str | Carry) or not each:
                raise ValueError(f"{owner}: carry_columns must hold names or Carry(...), not {each!r}")
        if unwritable := [each.result_name for each in self.carried if "%(" in each.result_name]:
            # SQLAlchemy treats it as a parameter on some databases.
            raise ValueError(
                f"{owner}: a column of the result cannot have %( in its name, as {unwritable[0]!r} does;"
                f" rename it: Carry({unwritable[0]!r}, name=...)"
            )
        purposes = (self.key, self.image, self.back_image, self.card_side, self.updated_at)
        columns = [column for column in purposes if column is not None]
        if len(set(columns)) < len(columns):
            raise ValueError(f"{owner}: the same column is given for two purposes: {columns}")
        if self.back_image is not None and self.card_side is not None:
            raise ValueError(
                f"{owner}: with back_image, image is the front and the sides are known; leave out card_side"
            )
        if self.order_by is not None and not self.order_by.removeprefix("-"):
            raise ValueError(f"{owner}: order_by names no column")
        names = [column.name for column in COLUMNS] + [carry.result_name for carry in self.carried]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"{owner}: the result would have two columns {', '.join(doubled)}; rename what is copied:"
                f" Carry({doubled[0]!r}, name=...)"
            )

    @property
    def carried(self) -> tuple[Carry, ...]:
        """The columns to copy."""
        return tuple(each if isinstance(each, Carry) else Carry(each) for each in self.carry_columns)

    @property
    def purposes(self) -> Iterator[tuple[str, str]]:
        """Every requested column, with the parameter that names it; a column may occur twice."""
        for purpose in ("key", "image", "back_image", "card_side", "updated_at"):
            if (column := getattr(self, purpose)) is not None:
                yield column, purpose
        if self.order_by is not None:
            yield self.order_by.removeprefix("-"), "order_by"
        for carry in self.carried:
            yield carry.column, "carry_columns"


@dataclass(frozen=True, kw_only=True, repr=False)
class ImageTable(_ImageColumns):
    """A table or view of images.

    :param table: its name, optionally as ``schema.name``.
    :param since: only images changed at this time or later (needs ``updated_at``); ISO 8601 or a template
        such as ``{{ data_interval_start }}``, which is empty if a run has no interval.
    :param until: only images changed before this time; also ISO 8601 or a template. If both are templates
        that render to the same moment, as for a schedule such as ``@daily``, the whole list is read.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("table", "conn_id", "since", "until")

    table: str = field(kw_only=False)
    since: str | datetime | None = None
    until: str | datetime | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, table=table_name())
        if (self.since or self.until) and not self.updated_at:
            raise ValueError("ImageTable: since and until need updated_at; name that column")


@dataclass(frozen=True, kw_only=True, repr=False)
class ImageQuery(_ImageColumns):
    """A SELECT that lists images.

    :param sql: the statement, or the name of a ``.sql`` file; write values as ``:name`` parameters.
    :param parameters: values for them, bound by the driver and never pasted into the statement. A list gives
        several values: ``WHERE branch IN :branches``. Logs and the UI do not show the values.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("sql", "conn_id", "parameters")

    sql: str = field(kw_only=False)
    parameters: Mapping[str, Any] = field(default_factory=dict, metadata=NAMES_ONLY)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, sql=text("a SELECT, or the name of a .sql file"), parameters=instance_of(Mapping, str))

    @property
    def lists_same_rows(self) -> bool:
        """Whether each run lists the same rows, and those that are new, as far as its text shows."""
        may_change = _CHANGING.search(self.sql) or is_template(self.sql) or is_template(repr(self.parameters))
        return not (may_change or self.sql.strip().endswith(".sql"))
