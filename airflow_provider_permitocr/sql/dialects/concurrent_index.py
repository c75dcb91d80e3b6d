"""Build an index of a large PostgreSQL table while others write to it, and cancel a build that is stuck.

``CREATE INDEX CONCURRENTLY`` waits for all older transactions, whatever they read. A timeout could only be
set for a session, which behind a proxy passes to another client. So a watcher cancels the build.
https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateIndex

from airflow_provider_permitocr.sql.dialects.database import LOCK_SECONDS

#: An index of less is made within a second or so.
_LARGE_BYTES: Final = 64 * 1024 * 1024
_LOOK_SECONDS: Final = 0.5

_SIZE: Final = sa.text(
    "SELECT pg_table_size(to_regclass(concat_ws('.', quote_ident(:schema), quote_ident(:name))))"
)
_UNUSABLE: Final = sa.text("""
    SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE NOT i.indisvalid AND c.relnamespace = (
        SELECT oid FROM pg_namespace WHERE nspname = coalesce(CAST(:schema AS name), current_schema())
    ) AND NOT EXISTS (
        SELECT 1 FROM pg_locks l
        WHERE l.relation = i.indrelid AND l.mode = 'ShareUpdateExclusiveLock' AND l.pid <> pg_backend_pid()
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    )
""")
#: What a build of this table's index waits for. Behind a proxy, the building session is unknown.
_AWAITED: Final = sa.text("""
    SELECT concat_ws(' ', l.locktype, l.virtualxid, l.transactionid, l.relation) FROM pg_locks l
    WHERE NOT l.granted AND l.pid IN (
        SELECT b.pid FROM pg_locks b
        WHERE b.relation = to_regclass(concat_ws('.', quote_ident(:schema), quote_ident(:name)))
        AND b.mode = 'ShareUpdateExclusiveLock'
        AND b.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ) ORDER BY 1
""")


class _CreateConcurrently(sa.schema.ExecutableDDLElement):
    def __init__(self, index: sa.Index) -> None:
        self.index = index


@compiles(_CreateConcurrently)
def _create_concurrently(element: _CreateConcurrently, compiler: Any, **_: Any) -> str:
    made: str = compiler.process(CreateIndex(element.index))
    return made.replace("CREATE INDEX ", "CREATE INDEX CONCURRENTLY ", 1)


def is_large(connection: sa.Connection, table: sa.Table) -> bool:
    """Return whether an index takes so long that writers should not wait for it."""
    return (connection.execute(_SIZE, _named(table)).scalar() or 0) > _LARGE_BYTES


def unusable_indexes(connection: sa.Connection, schema: str | None) -> Set[str]:
    """Return the names of indexes whose build was interrupted; a running build locks its table."""
    return frozenset(connection.execute(_UNUSABLE, {"schema": schema}).scalars())


def create_concurrently(engine: sa.Engine, index: sa.Index) -> None:
    """Create an index while others write to the table; give up after waiting ``LOCK_SECONDS`` for another.

    After giving up, an unusable index remains.

    :raises SQLAlchemyError: when it gave up, or the database refused.
    """
    assert index.table is not None
    with _autocommitting(engine) as watching, _autocommitting(engine) as building:
        session: Any = building.connection.driver_connection
        is_over = threading.Event()
        watched = (watching, _named(index.table), is_over, session)
        watcher = threading.Thread(target=_watch, args=watched, name="permitocr-index", daemon=True)
        watcher.start()
        try:
            building.execute(_CreateConcurrently(index))
        finally:
            is_over.set()
            watcher.join()


def _watch(
    watching: sa.Connection, table: Mapping[str, str | None], is_over: threading.Event, session: Any
) -> None:
    awaited: list[str] = []
    since = time.monotonic()
    while not is_over.wait(_LOOK_SECONDS):
        try:
            found = list(watching.execute(_AWAITED, table).scalars())
        except SQLAlchemyError:  # an unwatched build may wait forever
            break
        if not found or found != awaited:
            awaited, since = found, time.monotonic()
        elif time.monotonic() - since >= LOCK_SECONDS:
            break
    if not is_over.is_set():
        # psycopg2 only has the other one.
        getattr(session, "cancel_safe", session.cancel)()


@contextmanager
def _autocommitting(engine: sa.Engine) -> Iterator[sa.Connection]:
    with engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


def _named(table: sa.Table) -> Mapping[str, str | None]:
    return {"schema": table.schema, "name": table.name}
