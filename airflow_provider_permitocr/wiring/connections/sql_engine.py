"""An Airflow connection of a SQL database as a SQLAlchemy engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Self

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

from airflow_provider_permitocr.errors import ConfigurationError, PermitOcrError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from airflow_provider_permitocr.sql.dialects.database import Connector, Database

#: Raised by hooks whose connection is malformed.
_OF_HOOKS: Final = (AirflowException, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def sql_engine(conn_id: str) -> Engine:
    """Make an engine whose connections come from an Airflow connection's hook, as from its ``get_conn``.

    The hook is called for each database connection, so that expired tokens are renewed. Errors and logs never
    contain a statement's values. Connections that were closed while calls went on are replaced transparently.

    :raises ConfigurationError: when there is no such connection, it is not of a supported SQL database, or
        its provider or driver is missing. The engine raises it, too, if it could never connect and a retry
        would not help.
    """
    from airflow_provider_permitocr.sql.dialects.known import database_of_hook

    hook = airflow_hook(conn_id)
    try:
        database = database_of_hook(hook)
        return _engine(conn_id, hook, database)
    except ConfigurationError as error:
        raise ConfigurationError(f"connection {conn_id!r} cannot be used: {error}") from None


def no_connection(conn_id: str) -> ConfigurationError:
    """Return the error for a missing Airflow connection, with what to do."""
    return ConfigurationError(
        f"there is no connection {conn_id!r}; add it under Admin > Connections, or correct conn_id"
    )


def airflow_hook(conn_id: str) -> Any:
    """Return the hook of an Airflow connection to a SQL database.

    :raises ConfigurationError: when there is no such connection, it is not of a SQL database, or its provider
        is missing.
    """
    try:
        hook = BaseHook.get_hook(conn_id)
    except AirflowNotFoundException:
        raise no_connection(conn_id) from None
    except (AirflowException, ImportError) as error:
        conn_type = str(BaseHook.get_connection(conn_id).conn_type)
        raise ConfigurationError(
            f"the provider of connection {conn_id!r} is not installed ({error}); run: pip install"
            f" apache-airflow-providers-{conn_type.replace('_', '-')}"
        ) from None
    if not hasattr(hook, "get_sqlalchemy_engine"):
        raise ConfigurationError(
            f"connection {conn_id!r} is of type {getattr(hook, 'conn_type', 'unknown')!r}, which is not an"
            " SQL database; name another connection in conn_id"
        )
    return hook


def _engine(conn_id: str, hook: Any, database: Database) -> Engine:
    import sqlalchemy as sa

    try:
        connector = database.connector(hook)
        url = sa.URL.create(connector.scheme, database=connector.file)
        opener = _Opener(conn_id, connector, database)
        engine = sa.create_engine(
            url, creator=opener, hide_parameters=True, pool_pre_ping=True, **connector.options
        )
        database.set_up(engine)
    except (ImportError, sa.exc.NoSuchModuleError) as error:
        raise ConfigurationError(_missing_driver(error, database)) from None
    except _OF_HOOKS as error:
        raise ConfigurationError(
            f"its hook failed with {type(error).__name__}; correct the connection"
        ) from None
    return engine


def _missing_driver(error: Exception, database: Database) -> str:
    module = (getattr(error, "name", None) or "").partition(".")[0]
    packages = database.driver_packages
    wanted = packages.get(module) or " or ".join(packages.values())
    return f"the driver of {database.title} is not installed ({error}); run: pip install {wanted}"


class _Opener:
    """Opens connections, one after the other, as hooks keep the last one in themselves.

    Until one was opened, a refusal is the connection's own fault; from then on it may pass. So may what a
    hook's own services cause, such as those that issue tokens.
    """

    def __init__(self, conn_id: str, connector: Connector, database: Database) -> None:
        self._conn_id, self._connect, self._database = conn_id, connector.connect, database
        self._lock = threading.Lock()
        self._has_opened = False

    def __call__(self) -> Any:
        with self._lock:
            try:
                connection = self._connect()
            except PermitOcrError:
                raise
            except Exception as error:
                if not self._has_opened and (why := self._refusal(error)):
                    raise ConfigurationError(
                        f"connection {self._conn_id!r} cannot be opened: {why}"
                    ) from None
                if self._is_of_driver(error):
                    raise
                raise _lost(error) from None
            self._has_opened = True
            return connection

    def _refusal(self, error: Exception) -> str | None:
        """Return what to change; None if the error may be transient."""
        if self._is_of_driver(error):
            remedy = self._database.connection_remedy(error)
            return f"{_first_line(error)}; {remedy}" if remedy else None
        if isinstance(error, ImportError):
            return _missing_driver(error, self._database)
        if isinstance(error, _OF_HOOKS):
            # Any text may follow, such as a URL with a password.
            return f"its hook failed with {type(error).__name__}; correct it, or install what it requires"
        return None

    def _is_of_driver(self, error: Exception) -> bool:
        from airflow_provider_permitocr.sql.dialects.known import database_of_error

        return database_of_error(error) is self._database


def _lost(error: Exception) -> Exception:
    """Return a hook's error as SQLAlchemy has that of a lost connection, which is waited for."""
    from sqlalchemy.exc import OperationalError

    from airflow_provider_permitocr.sql.dialects.database import HookFailedError

    # Without its text, which may be anything, such as a token.
    failed = HookFailedError(f"its hook failed with {type(error).__name__}")
    return OperationalError("connecting", None, failed, hide_parameters=True, connection_invalidated=True)


def _first_line(error: Exception) -> str:
    """Return the driver's words about a connection, which hold no values of rows."""
    words = error.args[1] if len(error.args) > 1 else error
    return f"{type(error).__name__}: {str(words).strip().partition(chr(10))[0]}"


class SqlEngines:
    """One engine per connection, made when it is asked for; the end of the ``with`` closes all."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._engines: dict[str, Engine] = {}
        self._ledger_engines: dict[str, Engine] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._stack.close()

    def of(self, conn_id: str) -> Engine:
        """Return the engine of a connection.

        :raises ConfigurationError: when there is no such connection, or it is not of a SQL database.
        """
        if conn_id not in self._engines:
            engine = sql_engine(conn_id)
            self._stack.callback(engine.dispose)
            self._engines[conn_id] = engine
        return self._engines[conn_id]

    def close_at_end(self, close: Callable[[], object]) -> None:
        """Close something else as well at the end of the ``with``."""
        self._stack.callback(close)

    def of_ledger(self, conn_id: str) -> Engine:
        """Return another engine of a connection, only for the ledger.

        :raises ConfigurationError: when there is no such connection, or it is not of a SQL database.
        """
        if conn_id not in self._ledger_engines:
            from airflow_provider_permitocr.sql.dialects.known import database_of

            engine = sql_engine(conn_id)
            database_of(engine).set_up_for_ledger(engine)
            self._stack.callback(engine.dispose)
            self._ledger_engines[conn_id] = engine
        return self._ledger_engines[conn_id]
