"""What is known of MySQL and MariaDB."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, ClassVar, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import SQLAlchemyError

from airflow_provider_permitocr.core.errors import ConfigurationError
from airflow_provider_permitocr.sql.database.comparing import Typed
from airflow_provider_permitocr.sql.database.database import (
    LOCK_SECONDS,
    Connector,
    Database,
    Failure,
    OversizedRowError,
    first_line,
)
from airflow_provider_permitocr.sql.database.replacing import STATEMENTS_KEPT, Replacing, Row, key_names

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
_LOCKED: Final = 1205
#: A table or view, a column, an index; a table that another session changes at this moment.
_MADE_ALREADY: Final = frozenset({1050, 1060, 1061, 1684})
_SYNTAX: Final = 1064
#: Drivers say so of a connection that is closed, in place of a number.
_CLOSED: Final = 0
#: About the connection, rights, names, resources and the server's state; a syntax error quotes the statement,
#: with values.
_WITHOUT_VALUES: Final = frozenset(
    {
        *(1005, 1021, 1030, 1036, 1040, 1044, 1045, 1046, 1049, 1050, 1051, 1053, 1054, 1060, 1114, 1118),
        *(1129, 1130, 1142, 1143, 1146, 1153, 1203, 1205, 1213, 1226, 1227, 1290, 1298, 1364, 1698, 1792),
        *(1836, 1927, 2002, 2003, 2005, 2006, 2013, 2026, 2055, 2059),
    }
)
#: In characters: index entries hold 3,072 bytes, of which a character takes four.
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


_MYSQLCLIENT, _PYMYSQL = "mysqlclient", "pymysql"
#: Holds each character that the API may answer with; their "utf8" lacks those beyond the BMP.
_CHARSET: Final = "utf8mb4"
_UTC: Final = "+00:00"
#: Otherwise a value that does not fit is stored cut, and a table made by an engine without transactions.
#: https://dev.mysql.com/doc/refman/8.4/en/sql-mode.html
_MODES_NEEDED: Final = ("STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "NO_ENGINE_SUBSTITUTION")
#: These read and write other values than there are: keys with blanks behind them, NULL for ''.
#: https://mariadb.com/kb/en/sql-mode/
_MODES_HARMFUL: Final = ("PAD_CHAR_TO_FULL_LENGTH", "EMPTY_STRING_IS_NULL")
#: Of a statement, beside the values of its row, at most; of a character; characters that drivers escape.
_WITHOUT_VALUES_BYTES: Final = 16_384
_BYTES_OF_A_CHARACTER: Final = 4
_ESCAPED: Final = (b"\0", b"\n", b"\r", b"\x1a", b"'", b'"', b"\\")
#: Under which a connection keeps the most bytes that its server takes in one statement, or answers in a row.
_PACKET: Final = "longest_packet"
_SESSION: Final = (
    "SELECT @@max_allowed_packet, @@session.time_zone, @@session.sql_mode,"
    " @@character_set_client, @@character_set_connection, @@character_set_results"
)

#: MariaDB ends a transaction that says nothing for this long; MySQL only a session.
_IDLE_SECONDS: Final = 30
_LOCK_WAIT_SECONDS: Final = 45
_LIMITS_OF_MARIADB: Final = (
    f"SET SESSION idle_transaction_timeout = {_IDLE_SECONDS}, innodb_lock_wait_timeout = {_LOCK_WAIT_SECONDS}"
)
_LIMITS_OF_MYSQL: Final = (
    f"SET SESSION wait_timeout = {_IDLE_SECONDS}, innodb_lock_wait_timeout = {_LOCK_WAIT_SECONDS}"
)

#: What a connection's extra may hold for TLS beside ``ssl`` itself, as SQLAlchemy's URLs know it.
_TLS_EXTRAS: Final = ("ssl_ca", "ssl_cert", "ssl_key", "ssl_capath", "ssl_cipher", "ssl_check_hostname")
#: PyMySQL's arguments for each ``ssl_mode``: https://dev.mysql.com/doc/refman/8.4/en/connection-options.html
_TLS_OF_MODE: Final[Mapping[str, Mapping[str, Any]]] = {
    "PREFERRED": {},
    "REQUIRED": {"verify_mode": "none", "check_hostname": False},
    "VERIFY_CA": {"verify_mode": "required", "check_hostname": False},
    "VERIFY_IDENTITY": {"verify_mode": "required", "check_hostname": True},
}
_VERIFYING: Final = ("VERIFY_CA", "VERIFY_IDENTITY")

#: By the server's and the client's numbers: https://dev.mysql.com/doc/mysql-errors/en/
_LOGIN: Final = "correct login and password of the connection, or let the server take them"
_TLS: Final = "correct ssl and ssl_mode in the connection's extra, or the server's TLS"
_REMEDIES: Final[Mapping[int, str]] = {
    **dict.fromkeys((1044, 1045, 1130, 1251, 1698, 2059, 2061), _LOGIN),
    1049: "correct the connection's schema, which is its database, or create it",
    1115: "let the server know utf8mb4",
    **dict.fromkeys((2026, 3159), _TLS),
}
#: PyMySQL says this as it says that nobody answers.
_BAD_CERTIFICATE: Final = "certificate verify failed"
_OPTION_PREVENTS, _TABLE_READ_ONLY = 1290, 1036
_READ_ONLY: Final = (1792, 1836, 1874, _TABLE_READ_ONLY)


class MySql(Database):
    """MySQL and MariaDB, by PyMySQL or mysqlclient."""

    title = "MySQL or MariaDB"
    dialects = ("mysql", "mariadb")
    conn_types = ("mysql",)
    drivers = ("pymysql", "MySQLdb")
    driver_packages: ClassVar[Mapping[str, str]] = {"MySQLdb": "mysqlclient", "pymysql": "pymysql"}
    #: ``NOW()`` is in the session's time zone.
    clock = "UTC_TIMESTAMP(6)"
    #: The server's default may be an engine without transactions.
    table_options: ClassVar[Mapping[str, str]] = {"mysql_engine": "InnoDB", "mariadb_engine": "InnoDB"}

    changes_in_transactions = False

    def failure(self, error: BaseException) -> Failure | None:
        """Tell what an error of its driver means."""
        number = _number(error)
        if number in _TRANSIENT or (number == _CLOSED and type(error).__name__ == "InterfaceError"):
            return Failure.TRANSIENT
        if number in _OF_ROWS:
            return Failure.ROW
        if number in _READ_ONLY or (number == _OPTION_PREVENTS and "read" in str(error).lower()):
            return Failure.READ_ONLY
        return Failure.NO_TABLE if number == _NO_TABLE else None

    def describe(self, error: BaseException) -> str:
        """Describe an error of its driver without any value of a row."""
        name, number = type(error).__name__, _number(error)
        if number is None:
            return name
        return _in_words(error) if number in _WITHOUT_VALUES else f"{name} (error {number})"

    def describe_statement(self, error: BaseException) -> str:
        """Describe an error about a statement of the DAG's author, whose own words are no row's."""
        return _in_words(error) if _number(error) == _SYNTAX else self.describe(error)

    def upsert(
        self, connection: sa.Connection, table: sa.Table, rows: Sequence[Row], rule: Replacing
    ) -> None:
        """Write rows, replacing those with the same primary key."""
        connection.execute(_insert_on_duplicate_key(table, rule), rows)

    def key_fault(self, image_key: str) -> str | None:
        """Say why no index of a ledger can hold a key."""
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
            return None  # no index of the ledger would find a key exactly as it is
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

    def exact_text(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        """Return text in a form that tells all texts apart: its collations take a for A or Ä.

        Binary collations are not enough, as most ignore blanks at the end.
        """
        # Compared with text as the driver gives it.
        return sa.type_coerce(sa.cast(_in_utf8(column), sa.BINARY), sa.types.NULLTYPE)

    def is_seen(
        self, listed_at: Typed, updated_at: Typed, attempted_at: Typed
    ) -> sa.ColumnElement[bool] | None:
        """Compare times, which are in UTC in our sessions."""
        if not {listed_at.type, updated_at.type, attempted_at.type} <= _MOMENTS:
            return None
        seen_at = sa.func.coalesce(updated_at.column, attempted_at.column)
        return sa.or_(listed_at.column.is_(None), seen_at >= listed_at.column)

    def schema_of(self, connection: sa.Connection, name: str) -> tuple[str | None, bool]:
        """Ask the server, whose system decides on case."""
        schema, lower_case = connection.execute(_SCHEMA).one()
        return schema, bool(int(lower_case))

    def engine_without_transactions(self, connection: sa.Connection, table: sa.Table) -> str | None:
        """Name the storage engine of a table that keeps to no transactions, such as MyISAM."""
        named = {"schema": table.schema, "name": table.name}
        engine = connection.execute(_ENGINE_WITHOUT_TRANSACTIONS, named).scalar()
        return None if engine is None else str(engine)

    # The connection

    def connector(self, hook: Any) -> Connector:
        """Return how Airflow's ``MySqlHook`` leads to its database, through mysqlclient or PyMySQL.

        :raises ConfigurationError: when its extra names another client.
        """
        connection = hook.connection
        client = connection.extra_dejson.get("client", _MYSQLCLIENT)
        if client not in (_MYSQLCLIENT, _PYMYSQL):
            raise ConfigurationError(
                f"its extra names the client {client!r}, which is not supported; name"
                f' {{"client": "{_MYSQLCLIENT}"}} or {{"client": "{_PYMYSQL}"}}'
            )
        mode = _adjust(connection)
        if client == _PYMYSQL:
            return Connector("mysql+pymysql", _connecting_by_pymysql(hook, mode))
        return Connector("mysql+mysqldb", _connecting_by_mysqlclient(hook))

    def set_up(self, engine: sa.Engine) -> None:
        """Have each session run in UTC, be strict, and speak utf8mb4; otherwise the connection is refused."""

        @sa.event.listens_for(engine, "connect")
        def _set_up(connection: Any, record: Any) -> None:
            try:
                record.info[_PACKET] = _set_session(connection)
            except BaseException:
                connection.close()
                raise

        @sa.event.listens_for(engine, "before_cursor_execute")
        def _keep_to_packets(connection: Any, cursor: Any, _: str, sent: Any, *_more: Any) -> None:
            longest = connection.info[_PACKET]
            # Of rows that drivers make one statement of.
            cursor.max_stmt_length = min(cursor.max_stmt_length, longest // 2)
            for row in sent if isinstance(sent, list) else [sent]:
                _require_packet(row, longest)

    def set_up_for_ledger(self, engine: sa.Engine) -> None:
        """Limit how long a session may hold a transaction open, and how long one waits for a lock."""

        @sa.event.listens_for(engine, "connect")
        def _limit(connection: Any, _record: Any) -> None:
            ((version,),) = _asked(connection, "SELECT VERSION()")
            _tell(connection, _LIMITS_OF_MARIADB if "MariaDB" in str(version) else _LIMITS_OF_MYSQL)

    def connection_remedy(self, error: BaseException) -> str | None:
        """Say what to change, by the number of the error."""
        if _BAD_CERTIFICATE in str(error):
            return _TLS
        return _REMEDIES.get(_number(error) or 0)

    @contextmanager
    def changing(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Change tables or views, each change by itself, behind those who have them open for a moment only.

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

    def is_locked(self, error: BaseException) -> bool:
        """Tell whether another session holds a lock that was not to be had in time."""
        return _number(error) == _LOCKED

    def is_made_already(self, error: BaseException) -> bool:
        """Tell whether a change was refused because another session has just made the same."""
        return _number(error) in _MADE_ALREADY

    def finding_holders(self, table: str) -> str:
        """Say how to find who holds a lock on a table or view."""
        return "find it with SELECT trx_mysql_thread_id, trx_started FROM information_schema.innodb_trx"


@lru_cache(STATEMENTS_KEPT)
def _insert_on_duplicate_key(table: sa.Table, rule: Replacing) -> mysql.Insert:
    # PyMySQL makes one statement of many rows only where no parameter follows VALUES.
    insert = mysql.insert(table)
    new = insert.inserted
    is_replaced = rule.applies(table.c, new)
    if not (replaced := rule.replaced(table)):
        # Not IGNORE, which takes what a column cannot hold for a warning.
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


def _in_utf8(text: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return text in the character set that holds all, whatever its column's is."""
    return sa.func.convert(text.op("USING")(sa.literal_column("utf8mb4")))


def _set_lock_wait(connection: sa.Connection, seconds: int) -> None:
    connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {seconds}")


def _in_words(error: BaseException) -> str:
    words = error.args[1] if len(error.args) > 1 else error
    return f"{type(error).__name__} ({_number(error)}): {first_line(words)}"


def _number(error: BaseException) -> int | None:
    number = next(iter(error.args), None)
    return number if isinstance(number, int) else None


def _adjust(connection: Any) -> str | None:
    """Leave out what would change the rows that are read; take TLS under all names that it has.

    :return: the extra's ``ssl_mode``.
    """
    extra = dict(connection.extra_dejson)
    tls = extra.get("ssl") or {}
    if isinstance(tls, str):
        tls = json.loads(tls)
    tls = {name.removeprefix("ssl_"): extra[name] for name in _TLS_EXTRAS if extra.get(name)} | tls
    extra |= {"charset": _CHARSET, "ssl": tls}
    extra.pop("cursor", None)
    connection.extra = json.dumps(extra)
    mode = str(extra.get("ssl_mode") or "").upper()
    return mode or None


def _connecting_by_mysqlclient(hook: Any) -> Callable[[], Any]:
    from MySQLdb.constants import CLIENT

    # SQLAlchemy's counts of changed rows rely on this flag, which can only be set when a connection begins.
    arguments = hook._get_conn_config_mysql_client
    hook._get_conn_config_mysql_client = lambda connection: (
        arguments(connection) | {"client_flag": CLIENT.FOUND_ROWS}
    )
    connect: Callable[[], Any] = hook.get_conn
    return connect


def _connecting_by_pymysql(hook: Any, mode: str | None) -> Callable[[], Any]:
    """Connect as ``get_conn`` does with its default client; with this one, it only knows the URI."""
    import pymysql
    from pymysql.constants import CLIENT

    tls = _tls_of_mode(mode, hook.connection.extra_dejson["ssl"])

    def connect() -> Any:
        arguments = dict(hook._get_conn_config_mysql_client(hook.connection))
        for left_out in ("ssl", "ssl_mode", "read_default_group"):
            arguments.pop(left_out, None)
        return pymysql.connect(
            password=arguments.pop("passwd"),
            database=arguments.pop("db") or None,
            client_flag=CLIENT.FOUND_ROWS,
            **arguments,
            **tls,
        )

    return connect


def _tls_of_mode(mode: str | None, tls: Mapping[str, Any]) -> dict[str, Any]:
    if mode == "DISABLED":
        return {"ssl_disabled": True}
    if mode is not None and mode not in _TLS_OF_MODE:
        raise ConfigurationError(
            f"its extra says ssl_mode {mode!r}; it is one of DISABLED, {', '.join(_TLS_OF_MODE)}"
        )
    if mode in _VERIFYING and not (tls.get("ca") or tls.get("capath")):
        raise ConfigurationError(f'its extra says ssl_mode {mode}; add the authority: "ssl": {{"ca": "..."}}')
    given = {**(_TLS_OF_MODE[mode] if mode else {}), **tls}
    return {"ssl": given} if given else {}


def _set_session(connection: Any) -> int:
    """Set a session up; return the longest packet that its server takes."""
    ((longest, _, modes, *_),) = _asked(connection, _SESSION)
    mode = ",".join(_wanted_modes(_names(modes)))
    _tell(connection, f"SET SESSION time_zone = '{_UTC}', sql_mode = '{mode}'")
    ((_, zone, modes, *charsets),) = _asked(connection, _SESSION)
    found = _names(modes)
    faults = [f"time_zone is {zone}, not {_UTC}"] if zone != _UTC else []
    faults += [f"sql_mode lacks {name}" for name in _MODES_NEEDED if name not in found]
    faults += [f"sql_mode has {name}" for name in _MODES_HARMFUL if name in found]
    if any(charset != _CHARSET for charset in charsets):
        faults.append(f"its character sets are {', '.join(map(str, charsets))}, not {_CHARSET}")
    if faults:
        raise ConfigurationError(
            f"a session of MySQL does not keep what was set for it ({'; '.join(faults)}), so that values"
            " would be stored or read changed; let the proxy or init_connect in between keep SET SESSION, or"
            " name the server itself in the connection"
        )
    return int(longest)


def _require_packet(row: Any, longest: int) -> None:
    """Refuse a row that its server would answer by closing the connection, as if it had gone away.

    https://dev.mysql.com/doc/refman/8.4/en/packet-too-large.html
    """
    values = row.values() if isinstance(row, dict) else row or ()
    texts = [each for each in values if isinstance(each, str)]
    left = longest - _WITHOUT_VALUES_BYTES
    if _BYTES_OF_A_CHARACTER * sum(map(len, texts)) < left:
        return
    sent = [text.encode("utf-8", "surrogatepass") for text in texts]
    size = sum(len(text) + sum(map(text.count, _ESCAPED)) for text in sent)
    if size >= left:
        raise OversizedRowError(
            f"it has {size:,} bytes, and the server takes {longest:,} in one statement (max_allowed_packet)"
        )


def _names(modes: Any) -> list[str]:
    return [name for name in str(modes).split(",") if name]


def _wanted_modes(present: Iterable[str]) -> list[str]:
    return list(dict.fromkeys((*(name for name in present if name not in _MODES_HARMFUL), *_MODES_NEEDED)))


def _asked(connection: Any, statement: str) -> Any:
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
        return cursor.fetchall()
    finally:
        cursor.close()


def _tell(connection: Any, statement: str) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(statement)
    finally:
        cursor.close()
