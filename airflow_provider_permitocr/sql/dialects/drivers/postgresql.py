"""PostgreSQL's drivers: how they are connected, and what to change if they cannot be."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Final

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.sql.dialects.database import Connector

PSYCOPG, PSYCOPG2 = "psycopg", "psycopg2"
#: Holds each character that the API may answer with; libpq sends it with the connection's start.
_ENCODING: Final = "UTF8"
_REDSHIFT: Final = ("redshift", "redshift-serverless")
#: Refusals at connection time carry no SQLSTATE, so messages are matched; if the server uses another
#: language, the error counts as transient. The first match applies.
_REMEDIES: Final[Mapping[str, str]] = {
    "unsupported startup parameter": (
        "the pooler does not accept this parameter: remove it from the connection's extra, or name it in"
        " PgBouncer's"
        " ignore_startup_parameters"
    ),
    "does not support SSL|SSL error:|certificate verify|certificate file|private key file|SSL required": (
        "correct sslmode, sslrootcert, sslcert and sslkey in the connection's extra, or the server's TLS"
    ),
    "authentication failed|no password supplied|no such user|no pg_hba.conf entry|not permitted to log in": (
        "correct login and password of the connection, or make the server accept them"
    ),
    'role ".*" does not exist': "correct the connection's login, or create the role",
    'database ".*" does not exist|no such database': (
        "correct the connection's schema, which names the database, or create the database"
    ),
    "(bad|invalid .*) value|invalid (connection option|dsn|port)|unrecognized configuration": (
        "correct the connection's extra"
    ),
}


def connector(hook: Any) -> Connector:
    """Return how Airflow's ``PostgresHook`` reaches its database, through psycopg or psycopg2.

    Session settings are avoided: behind PgBouncer, the session's next client would inherit them.
    For the same reason psycopg prepares no statements, unless the extra names ``prepare_threshold``.
    https://www.pgbouncer.org/features.html

    :raises ConfigurationError: for Redshift, and for another driver.
    """
    extra = hook.connection.extra_dejson
    if any(extra.get(name) for name in _REDSHIFT):
        raise ConfigurationError(
            "it is Amazon Redshift, which is not supported; deliver a Parquet ResultFile to S3, and"
            " load it with Airflow's S3ToRedshiftOperator"
        )
    driver = _driver_of(hook)
    _adjust(hook.connection, extra)
    connect = _connecting(hook, driver)

    def connect_unprepared() -> Any:
        connection = connect()
        connection.prepare_threshold = hook.connection.extra_dejson.get("prepare_threshold")
        _require_iso_dates(connection)
        return connection

    return Connector(
        f"postgresql+{driver}",
        connect_unprepared if driver == PSYCOPG else connect,
        # Adapters would only apply to some connections; SQLAlchemy parses the text.
        options={"use_native_hstore": False},
    )


def remedy(error: BaseException) -> str | None:
    """Return what to change about a connection that could not be opened; None if a retry may open it."""
    words = str(error)
    return next((remedy for known, remedy in _REMEDIES.items() if re.search(known, words)), None)


def _driver_of(hook: Any) -> str:
    """Return the driver named by the connection's ``sqlalchemy_scheme``, else that of ``get_conn``."""
    scheme = str(hook.connection.extra_dejson.get("sqlalchemy_scheme") or "")
    named = scheme.partition("+")[2]
    if named and named not in (PSYCOPG, PSYCOPG2):
        raise ConfigurationError(
            f"its extra names {scheme!r} as sqlalchemy_scheme; postgresql+psycopg and postgresql+psycopg2 are"
            " supported"
        )
    own = _own_driver(hook)
    if named == PSYCOPG and own != PSYCOPG:
        raise ConfigurationError(
            f"its extra names {scheme!r} as sqlalchemy_scheme, but Airflow's hook connects through {own}"
            " here; install psycopg[binary] and apache-airflow-providers-postgres 6.4 or newer, or leave"
            " it out"
        )
    return named or own


def _own_driver(hook: Any) -> str:
    modules = (sys.modules.get(each.__module__) for each in type(hook).__mro__)
    return PSYCOPG if any(getattr(module, "USE_PSYCOPG3", False) for module in modules) else PSYCOPG2


def _require_iso_dates(connection: Any) -> None:
    """Refuse sessions whose time format psycopg cannot parse.

    :raises ConfigurationError: naming the setting.
    """
    style = str(connection.info.parameter_status("DateStyle") or "ISO")
    if not style.startswith("ISO"):
        connection.close()
        raise ConfigurationError(
            f"its sessions have DateStyle {style!r}, in which psycopg cannot read times; set the connection's"
            ' extra "options": "-c datestyle=iso", or ALTER ROLE ... SET datestyle = iso'
        )


def _adjust(connection: Any, extra: Mapping[str, Any]) -> None:
    """Add the options meant for SQLAlchemy, and remove those that would change the rows that are read."""
    adjusted = {**(extra.get("sqlalchemy_query") or {}), **extra, "client_encoding": _ENCODING}
    for changing_rows in ("cursor", "row_factory", "cursor_factory"):
        adjusted.pop(changing_rows, None)
    if (threshold := adjusted.get("prepare_threshold")) is not None:
        adjusted["prepare_threshold"] = _threshold(threshold)
    connection.extra = json.dumps(adjusted)


def _threshold(said: Any) -> int | None:
    """Read a number as the form of Airflow's connections has it: as text, which may be empty."""
    if said == "":
        return None
    try:
        return int(said)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"its extra sets prepare_threshold to {said!r}, which must be a number of executions"
        ) from None


def _connecting(hook: Any, driver: str) -> Callable[[], Any]:
    connect: Callable[[], Any] = hook.get_conn
    # ``get_conn`` takes psycopg wherever it is installed.
    return connect if driver == _own_driver(hook) else lambda: _connected_by_psycopg2(hook)


def _connected_by_psycopg2(hook: Any) -> Any:
    """Connect as ``get_conn`` does where psycopg is not installed."""
    import psycopg2

    given = deepcopy(hook.connection)
    extra = given.extra_dejson
    if extra.get("iam"):
        given.login, given.password, given.port = hook.get_iam_token(given)
    arguments = {
        "host": given.host,
        "user": given.login,
        "password": given.password,
        "dbname": hook.database or given.schema,
        "port": given.port,
        "options": hook.options,
    }
    arguments |= {name: value for name, value in extra.items() if name not in hook.ignored_extra_options}
    return psycopg2.connect(**arguments)
