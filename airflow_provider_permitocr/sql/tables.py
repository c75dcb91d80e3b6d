"""Where the image list comes from and where the result goes, as a DAG author writes it down.

Plain values, checked when the DAG is parsed; nothing here imports SQLAlchemy or opens a connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar

from airflow_provider_permitocr.core.api import CardSide


class _Readable:
    """Shows what was given and no defaults: in a repr, and as the task's rendered field in the UI."""

    def __repr__(self) -> str:
        given = (
            f"{name}={str(value) if isinstance(value, CardSide) else value!r}"
            for name, value in self.serialize().items()
        )
        return f"{type(self).__name__}({', '.join(given)})"

    def serialize(self) -> dict[str, Any]:
        """Return the values that are no defaults, by name; Airflow 3.3 shows a rendered field this way."""
        given = {}
        # What is written without its name comes first, as it does in a DAG.
        for each in sorted(fields(self), key=lambda each: bool(each.kw_only)):  # type: ignore[arg-type]
            value = getattr(self, each.name)
            default = each.default_factory() if each.default_factory is not MISSING else each.default
            if value != default:
                given[each.name] = value
        return given


@dataclass(frozen=True, kw_only=True, repr=False)
class _ImageColumns(_Readable):
    """What every image list says: which column holds what.

    :param conn_id: Airflow connection of the database, of any kind that speaks SQL.
    :param key: column that identifies the image; neither NULL nor twice (per card side).
    :param image: column with the image: http(s) URL, file:// URL or absolute path, data: URI, or bytes.
    :param card_side: column that holds FRONT or BACK; NULL there means ``default_side``.
    :param updated_at: column that tells when the image last changed; a later time than at the last
        recognition means that it is recognized anew.
    :param default_side: the side of images that no column tells the side of.
    """

    conn_id: str
    key: str
    image: str
    card_side: str | None = None
    updated_at: str | None = None
    default_side: CardSide | str = CardSide.FRONT

    def __post_init__(self) -> None:
        for name in ("conn_id", "key", "image"):
            if not getattr(self, name):
                raise ValueError(f"{type(self).__name__}: {name} is empty")
        try:
            object.__setattr__(self, "default_side", CardSide(self.default_side))
        except ValueError:
            raise ValueError(
                f"{type(self).__name__}: default_side must be FRONT or BACK, not {self.default_side!r};"
                " a column that tells the side goes into card_side"
            ) from None
        columns = [column for column in self.columns if column is not None]
        if len(set(columns)) < len(columns):
            raise ValueError(f"{type(self).__name__}: the same column is given for two purposes: {columns}")

    @property
    def columns(self) -> tuple[str, str, str | None, str | None]:
        """Key, image, card side and change time, in this order."""
        return (self.key, self.image, self.card_side, self.updated_at)


@dataclass(frozen=True, kw_only=True, repr=False)
class ImageTable(_ImageColumns):
    """A table or view of images.

    :param table: its name, with or without ``schema.`` in front.
    :param since: only images changed at this time or later (needs ``updated_at``); ISO 8601 or a template
        such as ``{{ data_interval_start }}``.
    :param until: only images changed before this time; likewise.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("table", "conn_id", "since", "until")

    table: str = field(kw_only=False)
    since: str | datetime | None = None
    until: str | datetime | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_table("ImageTable", self.table)
        if (self.since or self.until) and not self.updated_at:
            raise ValueError("ImageTable: since and until select by updated_at; say which column that is")


@dataclass(frozen=True, kw_only=True, repr=False)
class ImageQuery(_ImageColumns):
    """A SELECT that lists images.

    :param sql: the statement, or the name of a ``.sql`` file; values go into ``:name`` parameters.
    :param parameters: values for them, bound by the driver and never pasted into the statement.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("sql", "conn_id", "parameters")

    sql: str = field(kw_only=False)
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sql.strip():
            raise ValueError("ImageQuery: sql is empty")


@dataclass(frozen=True, repr=False)
class ResultTable(_Readable):
    """The table that gets one row per image and side; created where it is missing.

    :param table: its name, with or without ``schema.`` in front.
    :param conn_id: Airflow connection of the database.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("table", "conn_id")

    table: str
    conn_id: str

    def __post_init__(self) -> None:
        if not self.conn_id:
            raise ValueError("ResultTable: conn_id is empty")
        _check_table("ResultTable", self.table)


def split_schema(table: str) -> tuple[str | None, str]:
    """Split ``schema.table``; the schema is None where there is none."""
    schema, _, name = table.rpartition(".")
    return schema or None, name


def _check_table(owner: str, table: str) -> None:
    if not all(table.split(".")) or "\x00" in table:
        raise ValueError(f"{owner}: table must be a name or schema.name, not {table!r}")
