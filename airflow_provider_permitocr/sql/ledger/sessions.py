"""Limits of a ledger's sessions: a worker that dies or freezes in an exchange locks nobody out for long."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_permitocr.sql.source.driver_types import MYSQL

#: MariaDB ends a transaction that says nothing for this long; MySQL only a session.
_IDLE_SECONDS: Final = 30
_LOCK_WAIT_SECONDS: Final = 45
_MARIADB: Final = (
    f"SET SESSION idle_transaction_timeout = {_IDLE_SECONDS}, innodb_lock_wait_timeout = {_LOCK_WAIT_SECONDS}"
)
_MYSQL: Final = f"SET SESSION wait_timeout = {_IDLE_SECONDS}, innodb_lock_wait_timeout = {_LOCK_WAIT_SECONDS}"
#: Elsewhere the whole file is locked, for as long as one exchange takes.
_SQLITE: Final = f"PRAGMA busy_timeout = {_LOCK_WAIT_SECONDS * 1000}"


def limit_sessions(engine: sa.Engine) -> None:
    """Set limits on each new session of MySQL and SQLite; on PostgreSQL, each exchange sets its own.

    :param engine: used for the ledger alone.
    """
    dialect = engine.dialect
    if dialect.name not in (*MYSQL, "sqlite"):
        return

    @sa.event.listens_for(engine, "connect")
    def _limit(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        try:
            if dialect.name == "sqlite":
                cursor.execute(_SQLITE)
            else:
                cursor.execute("SELECT VERSION()")
                (version,) = cursor.fetchone()
                cursor.execute(_MARIADB if "MariaDB" in str(version) else _MYSQL)
        finally:
            cursor.close()
