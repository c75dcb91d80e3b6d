"""Snowflake, reached only through snowflake-connector-python.

Its SQLAlchemy dialect lags behind SQLAlchemy, and would send a parameter for each value. Instead, the
connector bulk-loads rows into a temporary table, and a MERGE moves them to the target.
"""

# ruff: noqa: S608 - names are quoted, and no statement holds a value of a row

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from airflow_provider_permitocr.errors import ConfigurationError, TargetError
from airflow_provider_permitocr.permit.columns import KEY_COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.permit.status import Status
from airflow_provider_permitocr.sql.dialects.database import Connector, Database, Failure
from airflow_provider_permitocr.sql.dialects.dataset import Dataset

if TYPE_CHECKING:
    import pandas as pd
    import sqlalchemy as sa

#: A connection of the connector's own, as Airflow's hook opens it.
Connection: TypeAlias = Any
#: https://docs.snowflake.com/en/sql-reference/identifiers-syntax: unquoted names are stored in upper case.
_UNQUOTED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
#: Lengths and scales are Snowflake's largest by default. Microseconds are all that a result has.
_TYPES: Final[dict[ColumnKind, str]] = {
    ColumnKind.KEY: "VARCHAR",
    ColumnKind.TEXT: "VARCHAR",
    ColumnKind.LONG_TEXT: "VARCHAR",
    ColumnKind.DATE: "DATE",
    ColumnKind.BOOLEAN: "BOOLEAN",
    ColumnKind.INTEGER: "NUMBER(38,0)",
    ColumnKind.FLOAT: "FLOAT",
    ColumnKind.TIMESTAMP: "TIMESTAMP_TZ(6)",
}
#: Days and times are loaded as text and parsed with an explicit format, so that neither the session's time
#: zone, TIMESTAMP_TYPE_MAPPING and formats nor Parquet's time types matter.
_STAGED_AS_TEXT: Final = (ColumnKind.DATE, ColumnKind.TIMESTAMP)
_DAY: Final = "YYYY-MM-DD"
_TIME: Final = "YYYY-MM-DD HH24:MI:SS.FF6"
_TYPE: Final = re.compile(r"(\w+)(?:\((\d+)(?:,\s*(\d+))?\))?(?:\s+COLLATE\s+'([^']*)')?", re.IGNORECASE)
_TEXTS: Final = ("VARCHAR", "TEXT", "STRING", "CHAR", "CHARACTER", "NVARCHAR")
_FITTING: Final[dict[ColumnKind, tuple[str, ...]]] = {
    ColumnKind.KEY: _TEXTS,
    ColumnKind.TEXT: _TEXTS,
    ColumnKind.LONG_TEXT: _TEXTS,
    ColumnKind.DATE: ("DATE",),
    ColumnKind.BOOLEAN: ("BOOLEAN",),
    ColumnKind.INTEGER: ("NUMBER",),
    # Not NUMBER, which silently rounds to its scale.
    ColumnKind.FLOAT: ("FLOAT", "DOUBLE", "REAL"),
    ColumnKind.TIMESTAMP: ("TIMESTAMP_TZ", "TIMESTAMP_LTZ", "TIMESTAMP_NTZ"),
}
#: Compare texts by their code points, as without a collation.
_EXACT_COLLATIONS: Final = ("", "utf8", "bin")
_MICROSECONDS: Final = 6

#: https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-api and the connector's
#: errorcode.py: connections that cannot be made, are closed or time out, a session that has ended, a server
#: that answers nothing or that it is busy, and files that cannot be uploaded.
_PASSING: Final = frozenset(
    {
        *(250002, 250003, 250005, 251011, 251012, 251016, 252007, 252010, 253003),
        *(390111, 390112, 390114, 390195, 604, 625, 630, 300002, 300005, 370001),
    }
)
#: Errors of HTTP that are worth another try have these and their status.
_HTTP: Final = 290000
_PASSING_STATUSES: Final = (403, 408, 429, 500, 502, 503, 504)
_CANNOT_CONNECT: Final = 250001
#: Error classes that are transient whatever their number; most have none.
_PASSING_CLASSES: Final = frozenset(
    {
        *("InterfaceError", "InternalError", "InternalServerError", "ServiceUnavailableError"),
        *("GatewayTimeoutError", "RequestTimeoutError", "BadGatewayError", "TooManyRequests"),
        *("RequestExceedMaxRetryError", "OtherHTTPRetryableError", "TokenExpiredError", "RefreshTokenError"),
        *("PresignedUrlExpiredError", "BindUploadError"),
    }
)
#: The cancellation of a statement, by its timeout or for a lock, and errors within the server.
_PASSING_STATES: Final = ("57014", "XX000")
#: In addition to the classes of data and constraint errors: NULL in a column that doesn't allow it.
_ROW_STATES: Final = ("22", "23")
#: A credit limit, or a warehouse that cannot start, is reported in the class of data errors.
_NO_ROW: Final = frozenset({90073, 90082})
_ROW_CLASSES: Final = ("IntegrityError", "DataError")
_UPLOADED_WITH: Final = ("requests", "urllib3", "botocore")
_MISSING: Final = frozenset({2003, 2043})
#: About the connection, names, rights, syntax and resources: none quotes a value, as no statement holds one.
_STATES_WITHOUT_VALUES: Final = ("02", "08", "0A", "28", "3D", "3F", "42", "53", "57")
#: Thousands of the numbers that the connector gives to errors of the network and of HTTP.
_NETWORK: Final = (250, 251, 290)
_LONGEST_WORDS: Final = 300


@dataclass(frozen=True)
class Place:
    """The location of a table or view, by its names in the database.

    :param database, schema, name: as its catalog has them.
    """

    database: str
    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.database}.{self.schema}.{self.name}"


@dataclass(frozen=True)
class StoredColumn:
    """A column as it exists in the database.

    :param name: as stored in the database.
    :param type: the database's name for it, e.g. ``VARCHAR(20)``.
    :param is_filled: whether a row may omit it.
    """

    name: str
    type: str
    is_filled: bool


@dataclass(frozen=True)
class Relation:
    """The relation that a name refers to.

    :param columns: by the name in the result, or by their own name in lower case.
    :param declared_key: column names of the declared primary key, in the same form; empty: none is declared.
    :param definition: a view's SELECT as the database keeps it; None: it may not be read.
    """

    is_view: bool
    columns: Mapping[str, StoredColumn]
    declared_key: frozenset[str] = frozenset()
    definition: str | None = None


@dataclass(frozen=True)
class Merging:
    """How rows replace those with the same key.

    :param key: names of the columns that identify a row.
    :param replaced: names of the columns that an existing row gets; empty: it stays unchanged.
    :param guard: a row never replaces one with a greater value in this column; NULL is the smallest.
    """

    key: Sequence[str]
    replaced: Sequence[str]
    guard: str


class Snowflake(Database):
    """Snowflake, without SQLAlchemy: its tables are loaded in bulk through its own connector.

    The ``get_conn()`` of an Airflow hook opens a connection of that connector. No list is read from it,
    and no ledger is kept in it.

    :ivar ledger_titles: the databases that ledgers can be kept in, once all are known.
    """

    title = "Snowflake"
    dialects = ()
    keeps_deleted = (
        "Snowflake keeps deleted and changed rows for Time Travel "
        "(DATA_RETENTION_TIME_IN_DAYS), then for seven days of Fail-safe"
    )
    drivers = ("snowflake",)
    conn_types = ("snowflake",)
    ledger_titles = ""
    takes_small_batches = False

    def connector(self, hook: Any) -> Connector:
        """Refuse a list or a ledger.

        :raises ConfigurationError: always.
        """
        raise ConfigurationError(
            f"{self.title} can hold result tables, but no ledger and no image list. Keep the ledger in"
            f' one of these, ledger=Ledger("permit_ocr", conn_id="..."): {self.ledger_titles}; and copy a'
            " list there, for example by GenericTransfer in the task before"
        )

    # Names

    def locate(self, connection: Connection, table: str) -> Place:
        """Find an existing or new table; the connection's database and schema are the default.

        :param table: ``name``, ``schema.name`` or ``database.schema.name``.
        :raises TargetError: when neither the name nor the connection contains a part.
        """
        *given, name = table.split(".")
        if len(given) > 2:
            raise TargetError(
                f"{table!r} has too many parts; name it as name, schema.name or database.schema.name"
            )
        parts = [None] * (2 - len(given)) + [_folded(each) for each in given]
        if None in parts:
            found = _rows(connection, "SELECT CURRENT_DATABASE() AS D, CURRENT_SCHEMA() AS S")[0]
            parts = [part or found[key] for part, key in zip(parts, ("d", "s"), strict=True)]
        database, schema = parts
        if not database or not schema:
            lacking = "schema" if database else "database"
            raise TargetError(
                f"the table {table!r} has no {lacking}; set the connection's {lacking},"
                " or name the table as database.schema.name"
            )
        return Place(database, schema, _folded(name))

    def is_named(self, known: str, table: str) -> bool:
        """Return whether a place, as text, may be that of a table: it ends with the table's parts."""
        return f".{known}".endswith("." + ".".join(map(_folded, table.split("."))))

    # Sessions

    def begin_session(self, connection: Connection) -> None:
        """Commit each statement separately, and keep quoted names case-sensitive.

        No time settings are needed: each value comes with its format and zone.
        """
        _execute(connection, "ALTER SESSION SET AUTOCOMMIT = TRUE")
        _execute(connection, "ALTER SESSION SET QUOTED_IDENTIFIERS_IGNORE_CASE = FALSE")

    # Tables

    def find(self, connection: Connection, place: Place, columns: Collection[str]) -> Relation | None:
        """Describe what is at a place, with statements that need no warehouse; None: nothing.

        :param columns: names in the result; a stored name matches in any case.
        """
        schema = f"{_quoted(place.database)}.{_quoted(place.schema)}"
        # LIKE matches more than the name: any case, and any character for an underscore.
        found = _rows(connection, f"SHOW TERSE OBJECTS LIKE {_text(place.name)} IN SCHEMA {schema}")
        kinds = [row["kind"] for row in found if row["name"] == place.name]
        if not kinds:
            return None
        is_view = "VIEW" in str(kinds[0]).upper()
        described = _rows(connection, f"DESCRIBE {'VIEW' if is_view else 'TABLE'} {_at(place)}")
        stored = [
            StoredColumn(row["name"], str(row["type"]), row["null?"] == "Y" or row["default"] is not None)
            for row in described
            if row["kind"] == "COLUMN"
        ]
        named = {_name_in_result(each.name, stored, columns): each for each in stored}
        if is_view:
            return Relation(True, named, definition=_definition(connection, place))
        keys = _rows(connection, f"SHOW PRIMARY KEYS IN TABLE {_at(place)}")
        declared = {row["column_name"] for row in keys}
        return Relation(
            False, named, frozenset(name for name, each in named.items() if each.name in declared)
        )

    def type_of(self, column: Column) -> str:
        """Name the type of a column that is made for a result."""
        return _TYPES[column.kind]

    def misfit(self, column: Column, stored: StoredColumn) -> str | None:
        """Return why an existing column cannot store a result's values unchanged; None if it can."""
        name, size, scale, collation = _parts(stored.type)
        is_rounded = column.kind is ColumnKind.INTEGER and scale != 0
        is_cut = column.kind is ColumnKind.TIMESTAMP and size is not None and size < _MICROSECONDS
        if name not in _FITTING[column.kind] or is_rounded or is_cut:
            return f"{column.name} is {stored.type} instead of {_TYPES[column.kind]}"
        if column.name in KEY_COLUMNS and collation not in _EXACT_COLLATIONS:
            return f"{column.name} is compared by {collation!r}, which treats different keys as equal"
        return None

    def create_table(
        self,
        connection: Connection,
        place: Place,
        columns: Sequence[Column],
        key: Sequence[str],
        comment: str,
    ) -> None:
        """Create a table, unless it exists. Its key is declared; Snowflake keeps none."""
        made = [_made(column, "NOT NULL " if column.name in (*key, "status") else "") for column in columns]
        made.append(f"PRIMARY KEY ({', '.join(_column(name) for name in key)})")
        _execute(
            connection,
            f"CREATE TABLE IF NOT EXISTS {_at(place)} ({', '.join(made)}) COMMENT = {_text(comment)}",
        )

    def add_columns(self, connection: Connection, place: Place, columns: Sequence[Column]) -> None:
        """Add columns to a table, but those that it has by now."""
        for column in columns:
            _execute(connection, f"ALTER TABLE {_at(place)} ADD COLUMN IF NOT EXISTS {_made(column)}")

    def try_rights(self, connection: Connection, place: Place, columns: Sequence[StoredColumn]) -> None:
        """Read, insert and update no row, which fails if a right is missing."""
        names = [_quoted(column.name) for column in columns]
        none = f"SELECT {', '.join(names)} FROM {_at(place)} WHERE FALSE"
        _execute(connection, f"INSERT INTO {_at(place)} ({', '.join(names)}) {none}")
        _execute(connection, f"UPDATE {_at(place)} SET {names[-1]} = {names[-1]} WHERE FALSE")

    def create_view(self, connection: Connection, place: Place, select: str) -> None:
        """Create or replace a view in one statement; those who may read it still may."""
        _execute(connection, f"CREATE OR REPLACE VIEW {_at(place)} COPY GRANTS AS {select}")

    def count_and_highest(
        self, connection: Connection, place: Place, version: StoredColumn
    ) -> tuple[int, int | None]:
        """Count a table's rows, and return the highest value of a column, from its metadata."""
        asked = f"SELECT COUNT(*) AS N, MAX({_quoted(version.name)}) AS H FROM {_at(place)}"
        found = _rows(connection, asked)[0]
        return int(found["n"]), None if found["h"] is None else int(found["h"])

    def is_empty(self, connection: Connection, place: Place) -> bool:
        """Return whether a table has no row."""
        return not _rows(connection, f"SELECT 1 AS ONE FROM {_at(place)} LIMIT 1")

    # Rows

    def load(
        self,
        connection: Connection,
        place: Place,
        frame: pd.DataFrame,
        columns: Mapping[Column, StoredColumn],
        merging: Merging,
    ) -> None:
        """Load rows into a temporary table, by the connector's Parquet files, and merge them, all or none.

        :param frame: with a column for each of ``columns``; no key may occur twice.
        """
        from snowflake.connector.pandas_tools import write_pandas

        staged = f"PERMITOCR_{secrets.token_hex(8)}".upper()
        # Names of temporary tables and of the connector's stage resolve in the current schema. Creating them
        # requires no right to create tables there.
        _execute(connection, f"USE SCHEMA {_quoted(place.database)}.{_quoted(place.schema)}")
        made = ", ".join(f"C{number} {_staged_type(column)}" for number, column in enumerate(columns))
        _execute(connection, f"CREATE TEMPORARY TABLE {staged} ({made})")
        try:
            write_pandas(connection, _staged_frame(frame, list(columns)), staged, quote_identifiers=False)
            _execute(connection, _merge(place, staged, columns, merging))
        finally:
            if not connection.is_closed():
                _execute(connection, f"DROP TABLE IF EXISTS {staged}")

    def delete_older_than_erasure(
        self, connection: Connection, place: Place, columns: Mapping[str, StoredColumn]
    ) -> None:
        """Delete rows of images whose later row has the status "erased", in one statement.

        See https://docs.snowflake.com/en/sql-reference/sql/delete.

        :param columns: by their names in the result.
        """
        key, side, status, version = (
            _quoted(columns[name].name) for name in ("image_key", "card_side", "status", "version")
        )
        erased = (
            f"SELECT {key} AS K, {side} AS S, MAX({version}) AS V FROM {_at(place)}"
            f" WHERE {status} = {_text(Status.ERASED.value)} GROUP BY {key}, {side}"
        )
        old = f"OLD_ROWS.{version}"
        _execute(
            connection,
            f"DELETE FROM {_at(place)} AS OLD_ROWS USING ({erased}) AS ERASED_ROWS"
            f" WHERE OLD_ROWS.{key} = ERASED_ROWS.K AND OLD_ROWS.{side} = ERASED_ROWS.S"
            f" AND ({old} IS NULL OR {old} < ERASED_ROWS.V)",
        )

    def dialect(self) -> sa.Dialect:
        """Return a dialect that writes a SELECT as Snowflake reads it, with names quoted as it keeps them."""
        from sqlalchemy.engine.default import DefaultDialect
        from sqlalchemy.sql.compiler import IdentifierPreparer

        class Preparer(IdentifierPreparer):
            def quote(self, ident: str, force: Any = None) -> str:
                return _column(ident)

            def quote_schema(self, schema: str, force: Any = None) -> str:
                return ".".join(map(_column, schema.split(".")))

        class Dialect(DefaultDialect):
            supports_native_boolean = True
            preparer = Preparer

        return Dialect()

    # Its names elsewhere

    def dataset(self, connection: Any, table: str) -> Dataset:
        """Return a table's name in asset events and lineage."""
        extra = connection.extra_dejson
        account, region = (extra.get(name) or "" for name in ("account", "region"))
        server = f"{account}.{region}" if region else account
        return Dataset.of_table(f"snowflake://{server.lower()}", *table.split("."))

    # Errors

    def failure(self, error: BaseException) -> Failure | None:
        """Classify an error of the connector, of its uploads, or of values that Parquet cannot store."""
        library = type(error).__module__.partition(".")[0]
        if library in _UPLOADED_WITH or isinstance(error, ConnectionError | TimeoutError):
            return Failure.TRANSIENT
        if library not in self.drivers:
            return Failure.ROW if isinstance(error, ValueError | OverflowError) else None
        if _is_passing(error):
            return Failure.TRANSIENT
        number, state = _number(error), _state(error)
        if number in _MISSING:
            return Failure.NO_TABLE
        is_of_row = bool(state and state.startswith(_ROW_STATES)) and number not in _NO_ROW
        return Failure.ROW if is_of_row or type(error).__name__ in _ROW_CLASSES else Failure.REFUSAL

    def describe(self, error: BaseException) -> str:
        """Describe an error without any value of a row; its own message is used if it contains none."""
        name, number, state = type(error).__name__, _number(error), _state(error)
        shown = name if number is None else f"{name} ({number:06})"
        is_of_network = number is not None and number // 1_000 in _NETWORK
        if not is_of_network and not (number and state and state.startswith(_STATES_WITHOUT_VALUES)):
            return f"{shown} (SQLSTATE {state})" if state else shown
        words = " ".join(str(getattr(error, "raw_msg", None) or error).split())
        return f"{shown}: {words[:_LONGEST_WORDS]}"


def _folded(name: str) -> str:
    """Return a name as Snowflake stores it: in upper case if it needs no quotes."""
    return name.upper() if _UNQUOTED.fullmatch(name) else name


def _quoted(name: str) -> str:
    """Quote a name that is as Snowflake keeps it. In quotes, capitals are the same name as without."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _column(name: str) -> str:
    return _quoted(_folded(name))


def _at(place: Place) -> str:
    return ".".join(map(_quoted, (place.database, place.schema, place.name)))


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _name_in_result(stored: str, all_stored: Sequence[StoredColumn], columns: Collection[str]) -> str:
    """Return which column of a result a stored one is: it would be made as that, or is it in another case."""
    for name in columns:
        if stored == _folded(name):
            return name
    for name in columns:
        if stored.lower() == name.lower() and not any(each.name == _folded(name) for each in all_stored):
            return name
    return stored.lower() if _UNQUOTED.fullmatch(stored) and stored.isupper() else stored


def _made(column: Column, null: str = "") -> str:
    return f"{_column(column.name)} {_TYPES[column.kind]} {null}COMMENT {_text(column.comment)}"


def _parts(kind: str) -> tuple[str, int | None, int | None, str]:
    """Read a type: its name, its length or precision, its scale, its collation."""
    read = _TYPE.match(kind)
    if read is None:
        return kind, None, None, ""
    name, size, scale, collation = read.groups()
    return name.upper(), int(size) if size else None, int(scale) if scale else None, collation or ""


def _definition(connection: Connection, place: Place) -> str | None:
    asked = (
        f"SELECT VIEW_DEFINITION AS D FROM {_quoted(place.database)}.INFORMATION_SCHEMA.VIEWS"
        f" WHERE TABLE_SCHEMA = {_text(place.schema)} AND TABLE_NAME = {_text(place.name)}"
    )
    found = _rows(connection, asked)
    return found[0]["d"] if found else None


def _staged_type(column: Column) -> str:
    return "VARCHAR" if column.kind in _STAGED_AS_TEXT else _TYPES[column.kind]


def _staged_frame(frame: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    import pandas as pd

    from airflow_provider_permitocr.engine.delivery.frame import plain_values

    staged: dict[str, Any] = {}
    for number, column in enumerate(columns):
        series = frame[column.name]
        staged[f"C{number}"] = (
            pd.array(_as_text(plain_values(series, column.kind)), dtype="string[python]")
            if column.kind in _STAGED_AS_TEXT
            else series.array
        )
    return pd.DataFrame(staged)


def _as_text(values: Sequence[date | None]) -> list[str | None]:
    return [
        value.replace(tzinfo=None).isoformat(" ", "microseconds")
        if isinstance(value, datetime)
        else (None if value is None else value.isoformat())
        for value in values
    ]


def _value(number: int, column: Column, stored: StoredColumn) -> str:
    """Write how a staged value becomes one of the table's column."""
    staged = f"C{number}"
    if column.kind is ColumnKind.DATE:
        return f"TO_DATE({staged}, '{_DAY}')"
    if column.kind is ColumnKind.TIMESTAMP:
        if _parts(stored.type)[0] == "TIMESTAMP_NTZ":
            return f"TO_TIMESTAMP_NTZ({staged}, '{_TIME}')"
        return f"TO_TIMESTAMP_TZ({staged} || ' +00:00', '{_TIME} TZH:TZM')"
    return staged


def _merge(place: Place, staged: str, columns: Mapping[Column, StoredColumn], merging: Merging) -> str:
    """Write the statement: https://docs.snowflake.com/en/sql-reference/sql/merge."""
    numbers = {column.name: f"NEW_ROWS.C{number}" for number, column in enumerate(columns)}
    names = {column.name: _quoted(stored.name) for column, stored in columns.items()}
    values = ", ".join(
        f"{_value(number, column, stored)} AS C{number}"
        for number, (column, stored) in enumerate(columns.items())
    )
    same = " AND ".join(f"OLD_ROWS.{names[key]} = {numbers[key]}" for key in merging.key)
    before = f"OLD_ROWS.{names[merging.guard]}"
    replaced = ", ".join(f"{names[name]} = {numbers[name]}" for name in merging.replaced)
    replacing = (
        f" WHEN MATCHED AND ({before} IS NULL OR {before} <= {numbers[merging.guard]})"
        f" THEN UPDATE SET {replaced}"
        if replaced
        else ""
    )
    return (
        f"MERGE INTO {_at(place)} AS OLD_ROWS USING (SELECT {values} FROM {staged}) AS NEW_ROWS"
        f" ON {same}{replacing}"
        f" WHEN NOT MATCHED THEN INSERT ({', '.join(names.values())}) VALUES ({', '.join(numbers.values())})"
    )


def _execute(connection: Connection, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _rows(connection: Connection, statement: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        names = [column[0].lower() for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _is_passing(error: BaseException) -> bool:
    number, state, name = _number(error), _state(error), type(error).__name__
    if name in _PASSING_CLASSES or number in _PASSING:
        return True
    if number is None or number == _CANNOT_CONNECT:
        return name == "OperationalError"  # a wrong password is another one
    return number - _HTTP in _PASSING_STATUSES or bool(state and state.startswith(_PASSING_STATES))


def _number(error: BaseException) -> int | None:
    number = getattr(error, "errno", None)
    return number if isinstance(number, int) and number > 0 else None


def _state(error: BaseException) -> str | None:
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) and state != "n/a" else None
