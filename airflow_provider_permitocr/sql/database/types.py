"""SQL types that store a column unchanged, in every database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.permit.columns import ColumnKind
from airflow_provider_permitocr.sql.dialects.known import database_of
from airflow_provider_permitocr.sql.source.times import as_utc


class ExactText(sa.types.TypeDecorator[str]):
    """Text of a key: texts are distinct if they differ in anything, including case and trailing blanks.

    :param length: in characters, if the length of an image's key would be too long.
    """

    impl = sa.Text
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__()
        self.length = length

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Return the type for a dialect, and for the server that it is connected to."""
        return dialect.type_descriptor(database_of(dialect).exact_text_type(dialect, self.length))


class PlainText(sa.types.TypeDecorator[str]):
    """Text of a field, Chinese included."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Return the type for a dialect."""
        return database_of(dialect).text


class LongText(sa.types.TypeDecorator[str]):
    """Text of several megabytes, such as a portrait in base64."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Return the type for a dialect."""
        return database_of(dialect).long_text


class UtcTime(sa.types.TypeDecorator[datetime]):
    """A time in UTC in a column without a time zone, independent of the session's time zone."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Return the type for a dialect."""
        return dialect.type_descriptor(database_of(dialect).zoneless_time)

    def process_bind_param(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        """Remove the time zone: a driver would, or the database would convert to the session's zone."""
        return _without_zone(value)

    def process_result_value(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        """Give the zone back."""
        return value and as_utc(value)


class Moment(sa.types.TypeDecorator[datetime]):
    """A time with its zone, or in UTC if the database does not keep zones."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Return the type for a dialect."""
        database = database_of(dialect)
        return database.zoned_time or database.zoneless_time

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Remove the zone if the database does not keep zones."""
        return value if database_of(dialect).zoned_time else _without_zone(value)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Restore the zone if the database does not keep zones."""
        return value if database_of(dialect).zoned_time else value and as_utc(value)


def _without_zone(value: datetime | None) -> datetime | None:
    return value and as_utc(value).astimezone(UTC).replace(tzinfo=None)


TYPES: Final[dict[ColumnKind, sa.types.TypeEngine[Any]]] = {
    ColumnKind.KEY: ExactText(),
    ColumnKind.TEXT: PlainText(),
    ColumnKind.LONG_TEXT: LongText(),
    ColumnKind.DATE: sa.Date(),
    ColumnKind.BOOLEAN: sa.Boolean(),
    ColumnKind.INTEGER: sa.BigInteger(),
    ColumnKind.FLOAT: sa.Double(),
    ColumnKind.TIMESTAMP: Moment(),
}
