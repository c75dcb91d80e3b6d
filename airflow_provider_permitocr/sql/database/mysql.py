"""What is known of MySQL and MariaDB."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Final

import sqlalchemy as sa

from airflow_provider_permitocr.core.errors import ConfigurationError
from airflow_provider_permitocr.sql.database.database import Connector, Database

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
_SESSION: Final = (
    "SELECT @@session.time_zone, @@session.sql_mode,"
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
#: What else an extra may hold for it, which the hook's URI hands on; of a URI, they are text.
_PYMYSQL_EXTRAS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), int),
    **dict.fromkeys(("init_command", "program_name", "bind_address"), str),
    "autocommit": sa.util.asbool,
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
    """MySQL or MariaDB."""

    title = "MySQL or MariaDB"
    dialects = ("mysql", "mariadb")
    conn_types = ("mysql",)
    drivers = ("pymysql", "MySQLdb", "mysql")
    driver_packages: ClassVar[Mapping[str, str]] = {"MySQLdb": "mysqlclient", "pymysql": "pymysql"}

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
        def _set_up(connection: Any, _record: Any) -> None:
            try:
                _set_session(connection)
            except BaseException:
                connection.close()
                raise

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
        return _REMEDIES.get(_number(error))

    def is_read_only(self, error: BaseException) -> bool:
        """Whether it is a replica or a reader's endpoint, or has ``read_only`` set."""
        number = _number(error)
        return number in _READ_ONLY or (number == _OPTION_PREVENTS and "read" in str(error).lower())


def _number(error: BaseException) -> int:
    first = error.args[0] if error.args else None
    return first if isinstance(first, int) else 0


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

    extra = hook.connection.extra_dejson
    further = {name: read(extra[name]) for name, read in _PYMYSQL_EXTRAS.items() if extra.get(name)}
    tls = _tls_of_mode(mode, extra["ssl"])

    def connect() -> Any:
        arguments = dict(hook._get_conn_config_mysql_client(hook.connection))
        for left_out in ("ssl", "ssl_mode", "read_default_group"):
            arguments.pop(left_out, None)
        return pymysql.connect(
            password=arguments.pop("passwd"),
            database=arguments.pop("db") or None,
            client_flag=CLIENT.FOUND_ROWS,
            **arguments,
            **further,
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


def _set_session(connection: Any) -> None:
    ((_, modes, *_),) = _asked(connection, _SESSION)
    mode = ",".join(_wanted_modes(_names(modes)))
    _tell(connection, f"SET SESSION time_zone = '{_UTC}', sql_mode = '{mode}'")
    ((zone, modes, *charsets),) = _asked(connection, _SESSION)
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
