"""Facts about MySQL and MariaDB."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any, ClassVar, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.compiler import compiles

from airflow_provider_permitocr.errors import SourceError
from airflow_provider_permitocr.permit.columns import ColumnKind
from airflow_provider_permitocr.sql.dialects.database import (
    LOCK_SECONDS,
    Comparison,
    Connector,
    Database,
    Failure,
    Form,
    Typed,
    as_it_is,
    bound_keys,
    first_line,
)
from airflow_provider_permitocr.sql.dialects.dataset import Dataset, server
from airflow_provider_permitocr.sql.dialects.drivers import mysql as drivers
from airflow_provider_permitocr.sql.dialects.drivers.mysql import size_in_statement
from airflow_provider_permitocr.sql.dialects.families import Family
from airflow_provider_permitocr.sql.dialects.reflection import FoundColumn
from airflow_provider_permitocr.sql.dialects.replacing import (
    ALWAYS,
    STATEMENTS_KEPT,
    Replacing,
    Row,
    key_names,
)

# Numbers: https://dev.mysql.com/doc/mysql-errors/en/server-error-reference.html and, from 4000 on,
# https://mariadb.com/kb/en/mariadb-error-code-reference/; of clients, from 2000 on,
# https://dev.mysql.com/doc/mysql-errors/en/client-error-reference.html.

#: Changed since it was read; too many connections (of all, of one user); shutdown; connections broken off;
#: lock wait timeout; deadlock; a table changed within the transaction; a statement to prepare again; too many
#: transactions; a lock given up for a change of the table; a connection killed or idle for too long; those
#: that cannot be made, were lost or killed.
_TRANSIENT: Final = frozenset(
    {
        *(1020, 1040, 1047, 1053, 1077, 1079, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1412, 1615, 1637),
        *(1689, 1927, 4031, 2002, 2003, 2006, 2013, 2055),
    }
)
#: NULL, doubled, out of range, no such date, text of another encoding, a trigger's SIGNAL, too long, too
#: long a row or packet, foreign keys, CHECK, no partition for it.
_OF_ROWS: Final = frozenset(
    {
        *(1048, 1062, 1118, 1153, 1216, 1264, 1265, 1292, 1300, 1366, 1406, 1411, 1441, 1452, 1526, 1586),
        *(1644, 1690, 1761, 1762, 2020, 3819, 3854, 3988, 4025),
    }
)
_NO_TABLE: Final = 1146
_LOCKED: Final = frozenset({1205})
#: A table or view, a column, an index; a table that another session changes at this moment.
_MADE_ALREADY: Final = frozenset({1050, 1060, 1061, 1684})
#: Missing rights to a database, table, column or routine; no database selected; a view whose tables, columns
#: or rights are missing, or whose definer is.
_DENIED: Final = frozenset({1044, 1046, 1142, 1143, 1227, 1356, 1370, 1449})
#: Drivers report a closed connection with this instead of a number.
_CLOSED: Final = 0
#: About the connection, rights, names, resources and the server's state; a syntax error quotes the statement,
#: with values.
_WITHOUT_VALUES: Final = frozenset(
    {
        *(1005, 1021, 1030, 1036, 1040, 1044, 1045, 1046, 1049, 1050, 1051, 1053, 1054, 1060, 1114, 1118),
        *(1129, 1130, 1142, 1143, 1146, 1153, 1203, 1205, 1213, 1226, 1227, 1290, 1298, 1364, 1698, 1792),
        *(1356, 1449, 1836, 1927, 2002, 2003, 2005, 2006, 2013, 2026, 2055, 2059),
    }
)
#: In characters: index entries hold 3,072 bytes, and a character takes up to four.
_LONGEST_KEY: Final = 512
_SCHEMA: Final = sa.text("SELECT database(), @@lower_case_table_names")
_ENGINE_WITHOUT_TRANSACTIONS: Final = sa.text(
    "SELECT t.engine FROM information_schema.tables t"
    " JOIN information_schema.engines e ON e.engine = t.engine"
    " WHERE t.table_schema = coalesce(:schema, database()) AND t.table_name = :name"
    " AND e.transactions <> 'YES'"
)
# Numbers of types in the protocol: of integers, of texts and bytes, of days and times.
_INTEGERS: Final = frozenset({1, 2, 3, 8, 9})
_TEXTS: Final = frozenset({15, 252, 253, 254})
_MOMENTS: Final = frozenset({7, 10, 12})


_OPTION_PREVENTS, _TABLE_READ_ONLY = 1290, 1036
_READ_ONLY: Final = (1792, 1836, 1874, _TABLE_READ_ONLY)
_TEXT_COLUMNS: Final = sa.text(
    "SELECT column_name, character_set_name, collation_name, character_octet_length"
    " FROM information_schema.columns"
    " WHERE table_schema = coalesce(:schema, database()) AND table_name = :name"
    " AND collation_name IS NOT NULL"
)
#: Character sets that include all Chinese characters:
#: https://dev.mysql.com/doc/refman/8.4/en/charset-unicode.html
_WIDE: Final = ("utf8mb4", "utf16", "utf16le", "utf32", "gb18030")
_A_NUMBER: Final = "'^-?[0-9]{1,18}$'"
_DIGITS: Final = 6
#: Binary collations that don't ignore trailing blanks, of MariaDB and of MySQL:
#: https://dev.mysql.com/doc/refman/8.4/en/charset-binary-collations.html
_WITHOUT_PADDING: Final = ("_nopad_bin", "_0900_bin")

#: About a statement, in its author's own words: ambiguous columns, doubled ones, a derived table or function
#: that is not there, a wrong number of columns, syntax, arguments of functions.
_OF_STATEMENT: Final = frozenset({1052, 1060, 1064, 1222, 1248, 1305, 1582, 1630})

# Numbers of types: https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html

_FLOAT, _TIMESTAMP, _BIT = 4, 7, 16
_KINDS: Final[dict[Any, ColumnKind]] = {
    **dict.fromkeys((1, 2, 3, 8, 9), ColumnKind.INTEGER),
    **dict.fromkeys((_FLOAT, 5), ColumnKind.FLOAT),
    10: ColumnKind.DATE,
    **dict.fromkeys((_TIMESTAMP, 12), ColumnKind.TIMESTAMP),
}

#: Up to this many characters of keys, the server's limit isn't checked; it is 1 MB or more.
_SURELY_TAKEN: Final = 100_000
_KEYS_TWICE: Final = 2
_REST_OF_STATEMENT: Final = 20_000


class MySql(Database):
    """MySQL and MariaDB, by PyMySQL or mysqlclient."""

    title = "MySQL or MariaDB"
    keeps_deleted = (
        "MySQL and MariaDB keep deleted and changed rows until they are purged and their pages used again"
    )
    dialects = ("mysql", "mariadb")
    conn_types = ("mysql",)
    drivers = ("pymysql", "MySQLdb")
    driver_packages: ClassVar[Mapping[str, str]] = {"MySQLdb": "mysqlclient", "pymysql": "pymysql"}
    #: ``NOW()`` is in the session's time zone.
    clock = "UTC_TIMESTAMP(6)"
    #: The server's default may be an engine without transactions.
    table_options: ClassVar[Mapping[str, str]] = {"mysql_engine": "InnoDB", "mariadb_engine": "InnoDB"}
    changes_in_transactions = False
    folds_columns = True
    replaces_by_any_key = True
    casts_compare_alike = False
    #: Not VARCHAR: its lengths add up to the maximum row size, and longer texts would be refused.
    text = mysql.TEXT(charset="utf8mb4")
    long_text = mysql.LONGTEXT(charset="utf8mb4")
    #: TIMESTAMP is in the session's zone.
    zoned_time = None
    #: Without fractions, an image changed within the second would look changed for ever.
    zoneless_time = mysql.DATETIME(fsp=_DIGITS)
    kinds: ClassVar[Mapping[Any, ColumnKind]] = _KINDS
    #: It reads in the session's zone, which is UTC.
    instants = frozenset({_TIMESTAMP})
    locked = _LOCKED
    made_already = _MADE_ALREADY
    denied = _DENIED
    # The server runs what is in /*! and in MariaDB's /*M!.
    quoted = (
        r"'(?:[^'\\]|\\.|'')*'"
        r'|"(?:[^"\\]|\\.|"")*"'
        r"|`[^`]*`"
        r"|--\s[^\n]*"
        r"|#[^\n]*"
        r"|/\*(?!M?!).*?\*/"
    )

    # Its names elsewhere

    def dataset(self, connection: Any, table: str) -> Dataset:
        """Return a table's name in asset events and lineage."""
        database, _, name = table.rpartition(".")
        return Dataset.of_table(server("mysql", connection, 3306), database or connection.schema or "", name)

    # Its errors

    def code(self, error: BaseException) -> int | None:
        """Return the number of an error of the server's, or of the client library's."""
        return _number(error)

    def failure(self, error: BaseException) -> Failure | None:
        """Classify an error of its driver."""
        number = self.code(error)
        if number in _TRANSIENT or (number == _CLOSED and type(error).__name__ == "InterfaceError"):
            return Failure.TRANSIENT
        if number in _OF_ROWS:
            return Failure.ROW
        if number in _READ_ONLY or (number == _OPTION_PREVENTS and "read" in str(error).lower()):
            return Failure.READ_ONLY
        return Failure.NO_TABLE if number == _NO_TABLE else None

    def describe(self, error: BaseException) -> str:
        """Describe an error of its driver without any value of a row."""
        name, number = type(error).__name__, self.code(error)
        if number is None:
            return name
        return _in_words(error) if number in _WITHOUT_VALUES else f"{name} (error {number})"

    def describe_statement(self, error: BaseException) -> str:
        """Describe an error about a statement of the DAG's author; such messages quote no row."""
        return _in_words(error) if self.code(error) in _OF_STATEMENT else self.describe(error)

    # The connection

    def connector(self, hook: Any) -> Connector:
        """Return how Airflow's ``MySqlHook`` reaches its database."""
        return drivers.connector(hook)

    def set_up(self, engine: sa.Engine) -> None:
        """Make each session use UTC, strict mode and utf8mb4; refuse the connection if it doesn't."""
        drivers.set_up(engine)

    def set_up_for_ledger(self, engine: sa.Engine) -> None:
        """Limit how long a session may hold a transaction open, and how long one waits for a lock."""
        drivers.limit(engine)

    def connection_remedy(self, error: BaseException) -> str | None:
        """Return what to change, by the error's number."""
        return drivers.remedy(error, self.code(error))

    # Catalog

    def schema_of(self, connection: sa.Connection, name: str) -> tuple[str | None, bool]:
        """Ask the server, because its operating system decides whether names are case-sensitive."""
        schema, lower_case = connection.execute(_SCHEMA).one()
        return schema, bool(int(lower_case))

    def columns(
        self, connection: sa.Connection, name: str, schema: str | None = None
    ) -> list[FoundColumn] | None:
        """Return the columns of a table or view in order; None if neither exists."""
        found = super().columns(connection, name, schema)
        if found is None:
            return None
        rows = connection.execute(_TEXT_COLUMNS, {"name": name, "schema": schema})
        texts = {row[0].lower(): row for row in rows}
        # SQLAlchemy reads the server's own statement, and leaves the quotes within names doubled.
        unquoted = (replace(each, name=each.name.replace("``", "`")) for each in found)
        return [_described(each, texts.get(each.name.lower())) for each in unquoted]

    def engine_without_transactions(self, connection: sa.Connection, table: sa.Table) -> str | None:
        """Return a table's storage engine if it has no transactions, such as MyISAM; else None."""
        named = {"schema": table.schema, "name": table.name}
        engine = connection.execute(_ENGINE_WITHOUT_TRANSACTIONS, named).scalar()
        return None if engine is None else str(engine)

    # Its types

    def family(self, kind: sa.types.TypeEngine[Any]) -> Family:
        """Return the family of a type that it has: BOOLEAN is TINYINT."""
        if isinstance(kind, mysql.TINYINT):
            return Family.BOOLEAN
        # A TIMESTAMP ends in 2038, depends on the session's time zone, and may replace NULL.
        is_other = isinstance(kind, mysql.SET | mysql.TIMESTAMP | mysql.FLOAT)
        return Family.OTHER if is_other else super().family(kind)

    def exact_text_type(self, dialect: sa.Dialect, length: int | None) -> sa.types.TypeEngine[Any]:
        """Return the type of keys: no text without a length can be in an index."""
        collation = _exact_collation(dialect)
        return mysql.VARCHAR(length or _LONGEST_KEY, charset="utf8mb4", collation=collation)

    # Changes of tables, indexes and views

    @contextmanager
    def changing(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Change tables or views, each change separately, behind those who have them open for a moment only.

        By default such a lock is waited for up to a day (MariaDB) or a year (MySQL):
        https://dev.mysql.com/doc/refman/en/server-system-variables.html#sysvar_lock_wait_timeout
        """
        with engine.connect() as connection:
            waits = int(connection.exec_driver_sql("SELECT @@SESSION.lock_wait_timeout").scalar_one())
            _set_lock_wait(connection, min(waits, LOCK_SECONDS))
            try:
                yield connection
                connection.commit()
            finally:
                try:
                    connection.rollback()
                    _set_lock_wait(connection, waits)
                except SQLAlchemyError:  # a session that was lost takes its settings along
                    connection.invalidate()

    def finding_holders(self, table: str) -> str:
        """Return advice on finding the session that locks a table or view."""
        return "find it with SELECT trx_mysql_thread_id, trx_started FROM information_schema.innodb_trx"

    # Rows

    def upsert(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: Replacing = ALWAYS
    ) -> None:
        """Write rows, replacing those with the same primary key."""
        connection.execute(_insert_on_duplicate_key(table, rule), rows)

    # Types that its driver returns

    def is_boolean(self, type_: sa.types.TypeEngine[Any]) -> bool:
        """Return whether a table column of this type is known to hold booleans."""
        is_bool = isinstance(type_, mysql.TINYINT) and type_.display_width == 1
        is_bool = is_bool or (isinstance(type_, mysql.BIT) and (type_.length or 1) == 1)
        return is_bool or super().is_boolean(type_)

    def is_readable(self, column: sa.ColumnElement[Any], driver_type: Any) -> sa.ColumnElement[bool] | None:
        """Return SQL for whether every driver can read a non-NULL value; None: they can read any.

        False for 0000-00-00 and impossible days, which PyMySQL reads as text and mysqlclient as NULL.
        """
        if driver_type not in _MOMENTS:
            return None
        # Adding an interval to an impossible day is NULL.
        return column + sa.text("INTERVAL 0 DAY") >= sa.literal_column(f"'{date.min.isoformat()}'")

    # How its values compare

    def exact_text(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return text in a form that compares exactly; collations treat a, A and Ä as equal.

        Binary collations are not enough, because most ignore trailing blanks. So texts are converted to
        utf8mb4 and compared as bytes, also with text as the driver returns it.
        """
        return sa.type_coerce(sa.cast(_in_utf8(column), sa.BINARY), sa.types.NULLTYPE)

    def compared_form(
        self, connection: sa.Connection, listed: sa.Select[Any], driver_type: Any, *, is_unique: bool
    ) -> Form:
        """Return the form of a column that sorts the way it compares, and that distinguishes all texts.

        :raises SourceError: for a FLOAT and a BIT, which have no such form.
        """
        (column,) = listed.selected_columns
        if driver_type == _BIT:
            raise SourceError(
                f"the column {str(column.name)!r} is of type BIT, which does not equal the value read from"
                " it, so its rows would not be found again; select it + 0 in an ImageQuery, or take another"
                " column"
            )
        if driver_type == _FLOAT:
            raise SourceError(
                f"the column {str(column.name)!r} is of type FLOAT, which seldom equals the value read from"
                " it, so its rows could not be distinguished; make it DOUBLE or DECIMAL, or take another"
                " column"
            )
        # An enum is sorted by its place in the type, but compared as text.
        if is_unique and not isinstance(column.type, sa.Enum):
            return as_it_is
        character_set = sa.func.charset(listed.limit(1).scalar_subquery())
        is_text = connection.execute(sa.select(character_set)).scalar_one() != "binary"
        return self.exact_text if is_text else as_it_is

    def example_of(self, key: sa.ColumnElement[Any], compared_key: sa.ColumnElement[Any]) -> Any:
        """Return one readable key; the comparable form is bytes, which would be a bad example."""
        return sa.func.min(key)

    def is_among(
        self, key: sa.ColumnElement[Any], compared_key: sa.ColumnElement[Any], values: Sequence[Any]
    ) -> sa.ColumnElement[bool]:
        """Return whether a row has one of these keys, as the driver read them."""
        bound = bound_keys(values, sa.types.NULLTYPE)  # SQLAlchemy makes a moment of a TIME
        if compared_key is key:
            return key.in_(bound)
        # The first is for an index, which gives a few rows too many.
        return sa.and_(key.in_(bound), compared_key.in_(bound))

    def compare_time(
        self, column: sa.ColumnElement[Any], compares: Comparison, moment: datetime, local: datetime
    ) -> sa.ColumnElement[bool]:
        """Compare a column of times with an instant.

        :raises SourceError: when it is of another type: texts and numbers would be compared as such.
        """
        if not isinstance(column.type, sa.Date | sa.DateTime):
            raise SourceError(
                f"the updated_at column {str(column.key)!r} is of type {column.type}, but since and until"
                " compare only with DATE, DATETIME and TIMESTAMP; make it one of these, or compare in an"
                " ImageQuery"
            )
        return super().compare_time(column, compares, moment, local)

    def why_too_long(self, connection: sa.Connection, keys: Sequence[Any]) -> str | None:
        """Return why a query for these keys would exceed the server's packet limit; None if it wouldn't.

        The server closes the connection in that case, which looks like a transient loss.
        """
        texts = [each for each in keys if isinstance(each, str | bytes)]
        if sum(map(len, texts)) < _SURELY_TAKEN:
            return None
        size = _KEYS_TWICE * sum(map(size_in_statement, texts)) + _REST_OF_STATEMENT
        limit = connection.execute(sa.text("SELECT @@max_allowed_packet")).scalar_one()
        if size < limit:
            return None
        return f"its key makes a statement of more than {limit:,} bytes, the server's max_allowed_packet"

    # SQL for analyses

    def whole_number(self, text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return the whole number that a text of up to 18 digits is; NULL for another text."""
        return sa.case((text.regexp_match(sa.literal_column(_A_NUMBER)), sa.cast(text, sa.BigInteger)))

    def json_text(self, document: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[Any]:
        """Return a text of a JSON object that is kept as text."""
        path: sa.ColumnElement[Any] = sa.literal_column(f"'$.{name}'")
        return sa.func.json_unquote(sa.func.json_extract(document, path), type_=sa.Text())

    def local_day(self, moment: sa.ColumnElement[Any], minutes: int) -> sa.ColumnElement[Any]:
        """Return the day of an instant, which is stored in UTC."""
        return sa.func.date(
            sa.func.date_add(moment, sa.literal_column(f"INTERVAL {minutes} MINUTE")), type_=sa.Date
        )

    def now(self) -> sa.ColumnElement[Any]:
        """Return the time at which a statement began, in UTC, whatever the session's time zone."""
        return sa.func.utc_timestamp(type_=sa.DateTime())

    def days_between(
        self, earlier: sa.ColumnElement[Any], later: sa.ColumnElement[Any]
    ) -> sa.ColumnElement[Any]:
        """Return how many days after another a day is."""
        return sa.func.datediff(later, earlier, type_=sa.Integer)

    def epoch_milliseconds(self, moment: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return the whole milliseconds from 1970 to a time of a ledger, beyond 2038, too."""
        since: sa.ColumnElement[Any] = sa.literal_column("TIMESTAMP '1970-01-01 00:00:00'")
        return (
            sa.func.timestampdiff(sa.literal_column("MICROSECOND"), since, moment, type_=sa.BigInteger)
            // 1000
        )

    # A ledger in it

    def key_fault(self, image_key: str) -> str | None:
        """Return why no index of a ledger can store a key; None if one can."""
        if len(image_key) <= _LONGEST_KEY:
            return None
        return f"it has {len(image_key):,} characters, and an index of MySQL holds {_LONGEST_KEY}"

    def same_text(
        self, connection: sa.Connection, kept: Typed, listed: Typed
    ) -> list[sa.ColumnElement[bool]] | None:
        """Compare by the ledger's collation, for its index, and by bytes.

        Binary collations, too, ignore blanks at the end.
        """
        one = sa.select(kept.column).limit(1).scalar_subquery()
        collation = connection.execute(sa.select(sa.func.collation(one))).scalar_one()
        if not re.fullmatch("utf8mb4_.*bin", collation):
            return None  # no index of the ledger could find a key exactly
        text: sa.ColumnElement[Any]
        if listed.type in _INTEGERS:
            text = sa.cast(listed.column + 0, sa.CHAR)  # without the zeros of ZEROFILL
        elif listed.type in _TEXTS:
            text = listed.column
        else:
            return None
        return [
            sa.func.charset(text) != "binary",
            kept.column == sa.collate(_in_utf8(text), collation),
            self.exact_text(kept.column) == self.exact_text(text),
        ]

    def is_seen(
        self, listed_at: Typed, updated_at: Typed, attempted_at: Typed
    ) -> sa.ColumnElement[bool] | None:
        """Compare times, which are in UTC in our sessions."""
        if not {listed_at.type, updated_at.type, attempted_at.type} <= _MOMENTS:
            return None
        seen_at = sa.func.coalesce(updated_at.column, attempted_at.column)
        return sa.or_(listed_at.column.is_(None), seen_at >= listed_at.column)


@lru_cache(STATEMENTS_KEPT)
def _insert_on_duplicate_key(table: sa.Table, rule: Replacing) -> mysql.Insert:
    # PyMySQL only combines many rows into one statement if no parameter follows VALUES.
    insert = mysql.insert(table)
    new = {column.name: _Inserted(column.name, column.type) for column in table.columns}
    is_replaced = rule.applies(table.c, new)
    if not (replaced := rule.replaced(table)):
        # Not IGNORE, which downgrades values that a column cannot store to warnings.
        key = key_names(table)[0]
        return insert.on_duplicate_key_update([(key, table.c[key])])
    return insert.on_duplicate_key_update(
        [
            (
                name,
                new[name] if is_replaced is None else sa.case((is_replaced, new[name]), else_=table.c[name]),
            )
            for name in replaced
        ]
    )


class _Inserted(sa.ColumnClause[Any]):
    """A column of the row to write. SQLAlchemy's ``insert.inserted`` escapes a ``%`` in its name twice."""

    inherit_cache = True


@compiles(_Inserted)
def _inserted(element: _Inserted, compiler: Any, **_: Any) -> str:
    name = compiler.preparer.quote(element.name)
    if not _names_new_rows(compiler.dialect):
        return f"VALUES({name})"
    return f"{'new_1' if compiler.current_executable.table.name.lower() == 'new' else 'new'}.{name}"


def _names_new_rows(dialect: Any) -> bool:
    """Return whether SQLAlchemy names the rows to write, as VALUES() is deprecated from MySQL 8.0.20."""
    version = getattr(dialect, "server_version_info", None)
    return not dialect.is_mariadb and version is not None and version >= (8, 0, 20)


def _in_utf8(text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return text converted to utf8mb4, whatever its column's character set."""
    return sa.func.convert(text.op("USING")(sa.literal_column("utf8mb4")))


def _set_lock_wait(connection: sa.Connection, seconds: int) -> None:
    connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {seconds}")


def _described(column: FoundColumn, text: Any) -> FoundColumn:
    """Add to a column what the server reports about its texts.

    :param text: the server's row about it; None if it is not a text column.
    """
    if isinstance(column.type, mysql.DATETIME | mysql.TIMESTAMP):
        digits = column.type.fsp or 0
        return replace(column, length=None, digits=digits if digits < _DIGITS else None)
    if text is None:
        return replace(column, length=None)
    _, characters, collation, size = text
    is_long = isinstance(column.type, sa.Text | mysql.TINYTEXT | mysql.MEDIUMTEXT | mysql.LONGTEXT)
    is_binary = collation.endswith("_bin")
    is_padded = is_binary and not collation.endswith(_WITHOUT_PADDING)
    return replace(
        column,
        length=None if is_long else column.length,
        size=size if is_long else None,
        characters=None if characters in _WIDE else characters,
        merging=None if is_binary else collation,
        padding=collation if is_padded else None,
        alteration="strips trailing blanks" if isinstance(column.type, sa.CHAR) else None,
    )


def _exact_collation(dialect: Any) -> str:
    """Name the collation that compares all of a text: each kind of server has another."""
    version = getattr(dialect, "server_version_info", None)
    if getattr(dialect, "is_mariadb", False):
        return "utf8mb4_nopad_bin"
    # Before MySQL 8, no collation distinguishes trailing blanks.
    return "utf8mb4_0900_bin" if version and version >= (8, 0, 17) else "utf8mb4_bin"


def _in_words(error: BaseException) -> str:
    words = error.args[1] if len(error.args) > 1 else error
    return f"{type(error).__name__} ({_number(error)}): {first_line(words)}"


def _number(error: BaseException) -> int | None:
    number = next(iter(error.args), None)
    return number if isinstance(number, int) else None
