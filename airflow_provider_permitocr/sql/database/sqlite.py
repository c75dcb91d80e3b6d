"""What is known of SQLite."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qs, unquote

import sqlalchemy as sa

from airflow_provider_permitocr.core.errors import ConfigurationError
from airflow_provider_permitocr.sql.database.database import Connector, Database

_SCHEME: Final = "sqlite:///"
_URI: Final = "file:"
_IN_MEMORY: Final = ("", ":memory:")
#: The whole file is locked, for as long as one exchange takes.
_BUSY_MILLISECONDS: Final = 45_000
#: https://www.sqlite.org/rescode.html
_READONLY: Final = 8


class Sqlite(Database):
    """SQLite."""

    title = "SQLite"
    dialects = ("sqlite",)
    conn_types = ("sqlite",)
    drivers = ("sqlite3",)
    read_only_remedy = (
        "take mode=ro and immutable out of the connection's extra, or let this user write the file"
    )
    is_file = True

    # The connection

    def connector(self, hook: Any) -> Connector:
        """Return how Airflow's ``SqliteHook`` leads to a file, with the parameters of its extra.

        ``get_conn`` opens the same URI; its connections cannot be used by another thread than the one that
        has opened them. Parameters: https://www.sqlite.org/uri.html

        :raises ConfigurationError: when it leads to memory.
        """
        import sqlite3

        uri = str(hook.get_uri()).replace(_SCHEME, _URI)
        path, _, query = uri.removeprefix(_URI).partition("?")
        file = unquote(path.partition("#")[0])
        if file in _IN_MEMORY or "memory" in parse_qs(query).get("mode", ()):
            raise ConfigurationError(
                "it leads to a database in memory, which is gone with its connection; name a file in its host"
            )
        return Connector("sqlite", lambda: sqlite3.connect(uri, uri=True, check_same_thread=False), file=file)

    def set_up_for_ledger(self, engine: sa.Engine) -> None:
        """Have each session wait for others' exchanges."""

        @sa.event.listens_for(engine, "connect")
        def _wait_for_others(connection: Any, _record: Any) -> None:
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")

    def connection_remedy(self, error: BaseException) -> str | None:  # noqa: ARG002
        """Say what to change: nobody else can be in the way of opening a file."""
        return "correct the path in the connection's host, or the parameters in its extra"

    def is_read_only(self, error: BaseException) -> bool:
        """Whether the connection's extra says ``mode=ro``, or the file may not be written by this user."""
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == _READONLY

    # The file

    def file_of(self, engine: sa.Engine) -> str | None:
        """Return the path of the file; None: in memory."""
        file = super().file_of(engine)
        return None if not file or file in _IN_MEMORY or file.startswith(_URI) else file
