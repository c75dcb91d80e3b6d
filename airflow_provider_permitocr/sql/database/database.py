"""What is known of a database: what this class says of most, and what the class of one says otherwise.

Each database has one file with one subclass, of which there is one object in ``known.DATABASES``. Nobody else
asks which database it is: what matters of it is asked for by what it is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, ClassVar

import sqlalchemy as sa

from airflow_provider_permitocr.core.columns import ColumnKind
from airflow_provider_permitocr.sql.database import reflection
from airflow_provider_permitocr.sql.database.families import HOLDING, Family, family_of
from airflow_provider_permitocr.sql.database.reflection import FoundColumn, RelationKind


class Failure(Enum):
    """What an error means for what was tried."""

    TRANSIENT = auto()  #: the same may succeed a little later
    ROW = auto()  #: one of the rows holds what is not taken; others may be written
    NO_TABLE = auto()  #: there is no such table, or none any more
    READ_ONLY = auto()  #: this server, or this connection to it, takes no changes
    REFUSAL = auto()  #: the same will be refused again


class Database:
    """Facts of one database, and how it does what databases do each in its own way.

    :cvar title: what its users call it.
    :cvar dialects: SQLAlchemy's names for it.
    :cvar drivers: top-level modules of the drivers whose errors are its own.
    :cvar folds_columns: whether names of columns are the same whatever their case.
    :cvar folds_tables: whether those of tables are, too.
    :cvar holding: the families of types that hold each kind of column as it is.
    :cvar is_lenient: whether a column may have a type that SQLAlchemy does not know, or none, and keeps all.
    :cvar replaces_by_any_key: whether an upsert replaces a row that has the same in any unique key.
    """

    title: ClassVar[str]
    dialects: ClassVar[tuple[str, ...]]
    drivers: ClassVar[tuple[str, ...]]
    folds_columns: ClassVar[bool] = False
    folds_tables: ClassVar[bool] = False
    holding: ClassVar[Mapping[ColumnKind, frozenset[Family]]] = HOLDING
    is_lenient: ClassVar[bool] = False
    replaces_by_any_key: ClassVar[bool] = False

    def failure(self, error: BaseException) -> Failure | None:
        """Tell what an error of its driver means; None: what the driver's class of error says.

        :param error: as the driver raised it.
        """
        raise NotImplementedError

    def describe(self, error: BaseException) -> str:
        """Describe an error of its driver without any value of a row.

        :param error: as the driver raised it.
        """
        raise NotImplementedError

    def describe_statement(self, error: BaseException) -> str:
        """Describe an error about a statement of the DAG's author, whose own words are no row's.

        :param error: as the driver raised it.
        """
        return self.describe(error)

    # What it has.

    def columns(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> list[FoundColumn] | None:
        """Return the columns of a table or view in their order; None where there is neither."""
        return reflection.columns(connection, name, schema)

    def relation_kind(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> RelationKind | None:
        """Tell whether a name stands for a table, a view or nothing."""
        return reflection.relation_kind(connection, name, schema, folds=self.folds_tables)

    def relations(self, connection: sa.Connection, schema: str | None = None) -> list[str]:
        """Name the tables and views of a schema."""
        return reflection.relations(connection, schema)

    def unique_keys(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> set[frozenset[str]]:
        """Return the sets of columns that are unique over all rows: keys, constraints and indexes."""
        return reflection.unique_keys(connection, name, schema)

    def view_definition(self, connection: sa.Connection, name: str, schema: str | None = None) -> str | None:
        """Return a view's SELECT as it is kept; None where that may not be seen."""
        return sa.inspect(connection).get_view_definition(name, schema)

    def narrow_encoding(self, connection: sa.Connection) -> str | None:  # noqa: ARG002
        """Name the encoding of all its texts where that lacks some Chinese characters, or checks none."""
        return None

    def why_not_creatable(
        self,
        connection: sa.Connection,  # noqa: ARG002
        schema: str | None,  # noqa: ARG002
    ) -> str | None:
        """Say why no table can be created in a schema; None where one can, or where only trying would tell.

        :param schema: None: the one that is current.
        """
        return None

    # Its types.

    def family(self, kind: sa.types.TypeEngine[Any]) -> Family:
        """Return the family of a type that it has."""
        return family_of(kind)

    def is_without_zone(self, kind: sa.types.TypeEngine[Any]) -> bool:
        """Tell whether a column of such a type holds times without a time zone."""
        return isinstance(kind, sa.DateTime) and not kind.timezone

    def exact_text(
        self,
        dialect: sa.Dialect,  # noqa: ARG002
        length: int | None,  # noqa: ARG002
    ) -> sa.types.TypeEngine[Any]:
        """Return the type of keys: texts that differ in anything, trailing blanks included, are different.

        :param length: in characters, at most; None: as long as that of an image's key.
        """
        return sa.Text()

    def text(self) -> sa.types.TypeEngine[Any]:
        """Return the type of texts without a limit that anybody would notice."""
        return sa.Text()

    def long_text(self) -> sa.types.TypeEngine[Any]:
        """Return the type of texts of megabytes."""
        return sa.Text()

    def zoned_time(self) -> sa.types.TypeEngine[Any] | None:
        """Return the type of times that keeps their zone; None where there is none to be used."""
        return sa.DateTime(timezone=True)

    def zoneless_time(self) -> sa.types.TypeEngine[Any]:
        """Return the type of times without a zone, with six digits of a second's fractions."""
        return sa.DateTime()


def first_line(words: object) -> str:
    """Return the first line of a driver's words: what follows may be values."""
    return str(words).strip().partition("\n")[0]
