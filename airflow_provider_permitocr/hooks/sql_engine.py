"""An Airflow connection of any SQL database as a SQLAlchemy engine."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_permitocr.core.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Engine


def sql_engine(conn_id: str) -> Engine:
    """Make an engine through the connection's own hook, which knows its credentials and drivers.

    :raises ConfigurationError: when there is no such connection, or it is not of a SQL database.
    """
    try:
        hook = BaseHook.get_hook(conn_id)
    except AirflowNotFoundException:
        raise ConfigurationError(
            f"there is no connection {conn_id!r}; add it under Admin > Connections, or correct conn_id"
        ) from None
    if not hasattr(hook, "get_sqlalchemy_engine"):
        raise ConfigurationError(
            f"connection {conn_id!r} is of type {getattr(hook, 'conn_type', 'unknown')!r}, which is no SQL"
            " database; name another connection in conn_id"
        )
    from airflow_provider_permitocr.sql.quoting import quote_reserved_words

    # An error or a log line never shows the values of a statement; a connection that was closed while
    # the calls went on is replaced unnoticed.
    engine: Engine = hook.get_sqlalchemy_engine({"hide_parameters": True, "pool_pre_ping": True})
    quote_reserved_words(engine)
    return engine


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

    def of_ledger(self, conn_id: str) -> Engine:
        """Return another engine of a connection, for the ledger alone.

        :raises ConfigurationError: when there is no such connection, or it is not of a SQL database.
        """
        if conn_id not in self._ledger_engines:
            from airflow_provider_permitocr.sql.ledger.sessions import limit_sessions

            engine = sql_engine(conn_id)
            limit_sessions(engine)
            self._stack.callback(engine.dispose)
            self._ledger_engines[conn_id] = engine
        return self._ledger_engines[conn_id]
