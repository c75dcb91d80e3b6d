"""MySQL's drivers: how they are connected, what their sessions are set to, and what they can send."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing, suppress
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.sql.dialects.database import Connector, OversizedRowError

_MYSQLCLIENT, _PYMYSQL = "mysqlclient", "pymysql"
#: Holds each character that the API may answer with; their "utf8" lacks those beyond the BMP.
_CHARSET: Final = "utf8mb4"
_UTC: Final = "+00:00"
#: Without these modes, MySQL truncates values that don't fit, and may pick an engine without transactions.
#: https://dev.mysql.com/doc/refman/8.4/en/sql-mode.html
_MODES_NEEDED: Final = ("STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "NO_ENGINE_SUBSTITUTION")
#: These read and write other values than there are: keys with blanks behind, NULL for '', times for days.
#: https://mariadb.com/kb/en/sql-mode/
_MODES_HARMFUL: Final = ("PAD_CHAR_TO_FULL_LENGTH", "EMPTY_STRING_IS_NULL", "ORACLE")
#: Those before know no "AS new", which SQLAlchemy writes for MySQL 8.0.20 and later: their pattern for
#: statements then fails, after a time that doubles with each column.
_OLDEST_PYMYSQL: Final = (1, 2)
#: The first PyMySQL that unescapes all of a statement for many rows.
_UNESCAPING: Final = (1, 2, 4)
#: Of a statement, beside the values of its row, at most; of a character; characters that drivers escape.
_WITHOUT_VALUES_BYTES: Final = 16_384
_BYTES_OF_A_CHARACTER: Final = 4
_ESCAPED: Final = (b"\0", b"\n", b"\r", b"\x1a", b"'", b'"', b"\\")
#: Attribute of a connection: the server's max_allowed_packet in bytes.
_PACKET: Final = "longest_packet"
_SESSION: Final = (
    "SELECT @@max_allowed_packet, @@session.time_zone, @@session.sql_mode, @@session.sql_select_limit,"
    " @@character_set_client, @@character_set_connection, @@character_set_results"
)
#: Any smaller limit silently drops rows of a list. This is the server's own default.
_ALL_ROWS: Final = 2**64 - 1

#: MariaDB ends an idle transaction after this long; MySQL only an idle session.
_IDLE_SECONDS: Final = 30
_LOCK_WAIT_SECONDS: Final = 45
_LIMITS_OF_MARIADB: Final = (
    f"SET SESSION idle_transaction_timeout = {_IDLE_SECONDS}, innodb_lock_wait_timeout = {_LOCK_WAIT_SECONDS}"
)
_LIMITS_OF_MYSQL: Final = (
    f"SET SESSION wait_timeout = {_IDLE_SECONDS}, innodb_lock_wait_timeout = {_LOCK_WAIT_SECONDS}"
)

#: TLS options in a connection's extra besides ``ssl`` itself, as SQLAlchemy's URLs know it.
_TLS_EXTRAS: Final = ("ssl_ca", "ssl_cert", "ssl_key", "ssl_capath", "ssl_cipher", "ssl_check_hostname")
#: PyMySQL's arguments for each ``ssl_mode``: https://dev.mysql.com/doc/refman/8.4/en/connection-options.html
_TLS_OF_MODE: Final[Mapping[str, Mapping[str, Any]]] = {
    "PREFERRED": {},
    "REQUIRED": {"verify_mode": "none", "check_hostname": False},
    "VERIFY_CA": {"verify_mode": "required", "check_hostname": False},
    "VERIFY_IDENTITY": {"verify_mode": "required", "check_hostname": True},
}
#: Other TLS options, which the hook's URI passes on as text.
_PYMYSQL_EXTRAS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), int),
    **dict.fromkeys(("init_command", "program_name", "bind_address"), str),
    "autocommit": sa.util.asbool,
}
_VERIFYING: Final = ("VERIFY_CA", "VERIFY_IDENTITY")

#: By the server's and the client's numbers: https://dev.mysql.com/doc/mysql-errors/en/
_LOGIN: Final = "correct login and password of the connection, or make the server accept them"
_TLS: Final = "correct ssl and ssl_mode in the connection's extra, or the server's TLS"
_REMEDIES: Final[Mapping[int, str]] = {
    **dict.fromkeys((1044, 1045, 1130, 1251, 1698, 2059, 2061), _LOGIN),
    1049: "correct the connection's schema, which names the database, or create the database",
    1115: "use a server that supports utf8mb4",
    **dict.fromkeys((2026, 3159), _TLS),
}
#: PyMySQL reports this with the same error number as an unreachable server.
_BAD_CERTIFICATE: Final = "certificate verify failed"


def connector(hook: Any) -> Connector:
    """Return how Airflow's ``MySqlHook`` reaches its database, through mysqlclient or PyMySQL.

    :raises ConfigurationError: when its extra names another client.
    """
    extra = hook.connection.extra_dejson
    client = extra.get("client", _MYSQLCLIENT)
    if client not in (_MYSQLCLIENT, _PYMYSQL):
        raise ConfigurationError(
            f"its extra names the client {client!r}, which is not supported; name"
            f' {{"client": "{_MYSQLCLIENT}"}} or {{"client": "{_PYMYSQL}"}}'
        )
    tls, mode = _tls_of(extra), str(extra.get("ssl_mode") or "").upper()
    if client == _PYMYSQL:
        return Connector("mysql+pymysql", _connecting_by_pymysql(hook, tls, mode))
    return Connector("mysql+mysqldb", _connecting_by_mysqlclient(hook, tls, mode))


def set_up(engine: sa.Engine) -> None:
    """Make each session use UTC, strict mode and utf8mb4; refuse the connection if it doesn't."""

    @sa.event.listens_for(engine, "connect")
    def _set_up(connection: Any, record: Any) -> None:
        try:
            record.info[_PACKET] = _set_session(connection)
        except BaseException:
            connection.close()
            raise

    @sa.event.listens_for(engine, "before_cursor_execute", retval=True)
    def _keep_to_packets(
        connection: Any, cursor: Any, statement: str, sent: Any, _context: Any, is_many: bool
    ) -> tuple[str, Any]:
        longest = connection.info[_PACKET]
        # Of rows that drivers make one statement of.
        cursor.max_stmt_length = min(cursor.max_stmt_length, longest // 2)
        for row in sent if isinstance(sent, list) else [sent]:
            _require_packet(row, longest)
        return _unescaped(statement, cursor) if is_many else statement, sent


def limit(engine: sa.Engine) -> None:
    """Limit how long a session may hold a transaction open, and how long one waits for a lock."""

    @sa.event.listens_for(engine, "connect")
    def _limit(connection: Any, _record: Any) -> None:
        ((version,),) = _asked(connection, "SELECT VERSION()")
        _execute(connection, _LIMITS_OF_MARIADB if "MariaDB" in str(version) else _LIMITS_OF_MYSQL)


def remedy(error: BaseException, number: int | None) -> str | None:
    """Return what to change about a connection that could not be opened; None if a retry may open it."""
    return _TLS if _BAD_CERTIFICATE in str(error) else _REMEDIES.get(number or 0)


def size_in_statement(text: str | bytes) -> int:
    """Return the bytes of a value between quotes."""
    in_bytes = text.encode(errors="replace") if isinstance(text, str) else text
    return len(in_bytes) + sum(in_bytes.count(each) for each in _ESCAPED)


def _tls_of(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the files and options of TLS, under all their names."""
    named = {name.removeprefix("ssl_"): extra[name] for name in _TLS_EXTRAS if extra.get(name)}
    return named | _tls_files(extra.get("ssl") or {})


def _tls_files(given: Any) -> dict[str, Any]:
    if isinstance(given, str):
        with suppress(ValueError):
            given = json.loads(given)
    if not isinstance(given, dict):
        raise ConfigurationError(
            'its "ssl" must be an object with file names, such as {"ca": "/etc/ssl/ca.pem"}; for'
            ' TLS without them, set "ssl_mode": "REQUIRED"'
        )
    return given


def _connecting_by_mysqlclient(hook: Any, tls: Mapping[str, Any], mode: str) -> Callable[[], Any]:
    import MySQLdb
    from MySQLdb.constants import CLIENT

    given = {"ssl": tls, "ssl_mode": mode}
    further = {name: value for name, value in given.items() if value}
    if hook.connection.extra_dejson.get("iam"):
        further["read_default_group"] = "enable-cleartext-plugin"
    return lambda: MySQLdb.connect(client_flag=CLIENT.FOUND_ROWS, **_arguments(hook), **further)


def _connecting_by_pymysql(hook: Any, tls: Mapping[str, Any], mode: str) -> Callable[[], Any]:
    import pymysql
    from pymysql.constants import CLIENT

    if tuple(pymysql.VERSION[:2]) < _OLDEST_PYMYSQL:
        raise ConfigurationError(
            f"PyMySQL {pymysql.__version__} can hang for hours on a statement for many rows; install PyMySQL"
            ' 1.2 or newer, or use mysqlclient: "client": "mysqlclient"'
        )
    extra = hook.connection.extra_dejson
    further = {name: read(extra[name]) for name, read in _PYMYSQL_EXTRAS.items() if extra.get(name)}
    further |= _pymysql_tls(mode, tls)
    return lambda: pymysql.connect(client_flag=CLIENT.FOUND_ROWS, **(_arguments(hook) | further))


def _arguments(hook: Any) -> dict[str, Any]:
    """Return what both drivers call the same; ``get_conn`` cannot give either of them the flag.

    SQLAlchemy's counts of changed rows rely on it, and it can only be set when a connection begins.
    """
    given = hook.connection
    extra = given.extra_dejson
    password, port = hook.get_iam_token(given) if extra.get("iam") else (given.password, given.port)
    arguments: dict[str, Any] = {
        "user": given.login,
        "password": password or "",
        "host": given.host or "localhost",
        "database": hook.schema or given.schema or "",
        "port": int(port or 3306),
        "charset": _CHARSET,
    }
    further = {"unix_socket": extra.get("unix_socket"), "init_command": hook.init_command}
    return arguments | {name: value for name, value in further.items() if value}


def _pymysql_tls(mode: str, tls: Mapping[str, Any]) -> dict[str, Any]:
    if mode == "DISABLED":
        return {"ssl_disabled": True}
    if mode and mode not in _TLS_OF_MODE:
        raise ConfigurationError(
            f"its extra sets ssl_mode {mode!r}; use one of DISABLED, {', '.join(_TLS_OF_MODE)}"
        )
    if mode in _VERIFYING and not (tls.get("ca") or tls.get("capath")):
        raise ConfigurationError(f'its extra sets ssl_mode {mode}; add the authority: "ssl": {{"ca": "..."}}')
    given = {**(_TLS_OF_MODE[mode] if mode else {}), **tls}
    return {"ssl": given} if given else {}


def _set_session(connection: Any) -> int:
    """Set a session up; return the longest packet that its server takes."""
    ((longest, _, modes, *_),) = _asked(connection, _SESSION)
    mode = ",".join(_wanted_modes(_names(modes)))
    _execute(
        connection,
        f"SET SESSION time_zone = '{_UTC}', sql_mode = '{mode}', sql_select_limit = {_ALL_ROWS},"
        " sql_safe_updates = 0",
    )
    ((_, zone, modes, limit, *charsets),) = _asked(connection, _SESSION)
    found = _names(modes)
    faults = [f"time_zone is {zone}, not {_UTC}"] if zone != _UTC else []
    faults += [f"sql_select_limit is {limit}"] if int(limit) != _ALL_ROWS else []
    faults += [f"sql_mode lacks {name}" for name in _MODES_NEEDED if name not in found]
    faults += [f"sql_mode has {name}" for name in _MODES_HARMFUL if name in found]
    if any(charset != _CHARSET for charset in charsets):
        faults.append(f"its character sets are {', '.join(map(str, charsets))}, not {_CHARSET}")
    if faults:
        raise ConfigurationError(
            f"a MySQL session does not keep its settings ({'; '.join(faults)}), so values would change when"
            " they are stored or read; let the proxy or init_connect in between keep SET SESSION, or"
            " name the server itself in the connection"
        )
    return int(longest)


def _unescaped(statement: str, cursor: Any) -> str:
    """Return a statement for many rows as PyMySQL sends it.

    Before 1.2.4 it sends what follows the rows as it is, a ``%`` of a name still doubled.
    """
    if not type(cursor).__module__.startswith(_PYMYSQL):
        return statement
    from pymysql import VERSION
    from pymysql.cursors import RE_INSERT_VALUES

    found = RE_INSERT_VALUES.match(statement)
    if tuple(VERSION[:3]) >= _UNESCAPING or found is None:
        return statement
    return statement[: found.start(3)] + str(found.group(3)).replace("%%", "%")


def _require_packet(row: Any, longest: int) -> None:
    """Refuse a row that exceeds the packet limit; the server would close the connection without a reason.

    https://dev.mysql.com/doc/refman/8.4/en/packet-too-large.html
    """
    values = row.values() if isinstance(row, dict) else row or ()
    texts = [each for each in values if isinstance(each, str)]
    left = longest - _WITHOUT_VALUES_BYTES
    if _BYTES_OF_A_CHARACTER * sum(map(len, texts)) < left:
        return
    size = sum(map(size_in_statement, texts))
    if size >= left:
        raise OversizedRowError(
            f"it has {size:,} bytes, and the server takes {longest:,} in one statement (max_allowed_packet)"
        )


def _names(modes: Any) -> list[str]:
    return [name for name in str(modes).split(",") if name]


def _wanted_modes(present: Iterable[str]) -> list[str]:
    return list(dict.fromkeys((*(name for name in present if name not in _MODES_HARMFUL), *_MODES_NEEDED)))


def _asked(connection: Any, statement: str) -> Any:
    with closing(connection.cursor()) as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def _execute(connection: Any, statement: str) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute(statement)
