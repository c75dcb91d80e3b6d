"""What is known of PostgreSQL."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

from airflow_provider_permitocr.core.errors import ConfigurationError
from airflow_provider_permitocr.sql.database.database import Connector, Database

_PSYCOPG, _PSYCOPG2 = "psycopg", "psycopg2"
#: Holds each character that the API may answer with; libpq sends it with the connection's start.
_ENCODING: Final = "UTF8"
_REDSHIFT: Final = ("redshift", "redshift-serverless")
#: https://www.postgresql.org/docs/current/errcodes-appendix.html
_READ_ONLY_TRANSACTION: Final = "25006"

#: A server's refusal comes without its SQLSTATE when a connection begins, so its words have to do; those of a
#: server that speaks another language are taken for a fault that may pass. The first that is found counts.
_REMEDIES: Final[Mapping[str, str]] = {
    "unsupported startup parameter": (
        "the pooler takes no such parameter: take it out of the connection's extra, or name it in PgBouncer's"
        " ignore_startup_parameters"
    ),
    "does not support SSL|SSL error:|certificate verify|certificate file|private key file|SSL required": (
        "correct sslmode, sslrootcert, sslcert and sslkey in the connection's extra, or the server's TLS"
    ),
    "authentication failed|no password supplied|no such user|no pg_hba.conf entry|not permitted to log in": (
        "correct login and password of the connection, or let the server take them"
    ),
    'role ".*" does not exist': "correct the connection's login, or create the role",
    'database ".*" does not exist|no such database': (
        "correct the connection's schema, which is its database, or create it"
    ),
    "invalid connection option|invalid dsn|invalid .*value|invalid port|unrecognized configuration": (
        "correct the connection's extra"
    ),
}


class PostgreSql(Database):
    """PostgreSQL."""

    title = "PostgreSQL"
    dialects = ("postgresql",)
    conn_types = ("postgres",)
    drivers = (_PSYCOPG, _PSYCOPG2)
    driver_packages: ClassVar[Mapping[str, str]] = {_PSYCOPG: "psycopg[binary]", _PSYCOPG2: "psycopg2-binary"}

    # The connection

    def connector(self, hook: Any) -> Connector:
        """Return how Airflow's ``PostgresHook`` leads to its database, through psycopg or psycopg2.

        Nothing is set for a session: behind PgBouncer it would hit strangers, to whom the session goes next.
        For the same reason psycopg prepares no statements, unless the extra names ``prepare_threshold``.
        https://www.pgbouncer.org/features.html

        :raises ConfigurationError: when it leads to Redshift, or names another driver.
        """
        extra = hook.connection.extra_dejson
        if any(extra.get(name) for name in _REDSHIFT):
            raise ConfigurationError(
                "it leads to Amazon Redshift, which is not supported; deliver a Parquet ResultFile to S3, and"
                " load it with Airflow's S3ToRedshiftOperator"
            )
        driver = _driver_of(hook)
        _adjust(hook.connection, extra)
        connect = _connecting(hook, driver)

        def connect_unprepared() -> Any:
            connection = connect()
            connection.prepare_threshold = extra.get("prepare_threshold")
            return connection

        return Connector(
            f"postgresql+{driver}",
            connect_unprepared if driver == _PSYCOPG else connect,
            # Its adapters would be those of some connections only; SQLAlchemy reads the text.
            options={"use_native_hstore": False},
        )

    def connection_remedy(self, error: BaseException) -> str | None:
        """Say what to change, by the server's or the driver's words."""
        words = str(error)
        for known, remedy in _REMEDIES.items():
            if re.search(known, words):
                return remedy
        return None

    def is_read_only(self, error: BaseException) -> bool:
        """Whether it is a standby, or a server or role with ``default_transaction_read_only``."""
        state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        return state == _READ_ONLY_TRANSACTION


def _driver_of(hook: Any) -> str:
    """Return the driver that the connection names in ``sqlalchemy_scheme``, else that of ``get_conn``."""
    scheme = str(hook.connection.extra_dejson.get("sqlalchemy_scheme") or "")
    named = scheme.partition("+")[2]
    if named and named not in (_PSYCOPG, _PSYCOPG2):
        raise ConfigurationError(
            f"its extra names {scheme!r} as sqlalchemy_scheme; postgresql+psycopg and postgresql+psycopg2 are"
            " supported"
        )
    own = _own_driver(hook)
    if named == _PSYCOPG and own != _PSYCOPG:
        raise ConfigurationError(
            f"its extra names {scheme!r} as sqlalchemy_scheme, but Airflow's hook connects through {own}"
            " here; install psycopg[binary] and apache-airflow-providers-postgres 6.4 or newer, or leave"
            " it out"
        )
    return named or own


def _own_driver(hook: Any) -> str:
    modules = (sys.modules.get(each.__module__) for each in type(hook).__mro__)
    return _PSYCOPG if any(getattr(module, "USE_PSYCOPG3", False) for module in modules) else _PSYCOPG2


def _adjust(connection: Any, extra: Mapping[str, Any]) -> None:
    """Leave out what would change the rows that are read, and add what SQLAlchemy alone was to get."""
    adjusted = {**(extra.get("sqlalchemy_query") or {}), **extra, "client_encoding": _ENCODING}
    adjusted.pop("cursor", None)
    connection.extra = json.dumps(adjusted)


def _connecting(hook: Any, driver: str) -> Callable[[], Any]:
    if driver == _own_driver(hook):
        connect: Callable[[], Any] = hook.get_conn
        return connect
    import psycopg2

    # The hook goes all its way (tokens, options, extra), up to the driver that opens the connection.
    hook._create_connection = lambda arguments: psycopg2.connect(**arguments)
    own: Callable[[], Any] = hook.get_conn
    return own
