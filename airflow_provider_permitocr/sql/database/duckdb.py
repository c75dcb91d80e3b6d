"""What is known of DuckDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import sqlalchemy as sa

from airflow_provider_permitocr.sql.database.database import Connector, Database

_IN_MEMORY: Final = ":memory:"
#: MotherDuck's databases; what follows may hold a token.
_NO_FILE: Final = (_IN_MEMORY, "md:", "motherduck:")
_READ_ONLY: Final = "attached in read-only mode"


class DuckDb(Database):
    """DuckDB."""

    title = "DuckDB"
    dialects = ("duckdb",)
    conn_types = ("duckdb",)
    drivers = ("duckdb", "_duckdb")
    driver_packages: ClassVar[Mapping[str, str]] = {"duckdb": "duckdb", "duckdb_engine": "duckdb-engine"}
    read_only_remedy = "take read_only out of the connection's extra"
    is_file = True

    # The connection

    def connector(self, hook: Any) -> Connector:
        """Return how Airflow's ``DuckDBHook`` leads to a file, to memory or to MotherDuck."""
        import duckdb_engine

        database = str(hook.get_database())
        return Connector(
            "duckdb",
            lambda: duckdb_engine.ConnectionWrapper(hook.get_conn()),
            file=None if database.startswith(_NO_FILE) else database,
            # All connections to memory would be databases of their own.
            options={"poolclass": sa.pool.SingletonThreadPool} if database == _IN_MEMORY else {},
        )

    def set_up(self, engine: sa.Engine) -> None:
        """Have reserved words quoted, which the dialect takes to be those of PostgreSQL.

        A column called ``at`` or ``pivot`` could not be read otherwise.
        """
        import duckdb

        with duckdb.connect() as connection:
            words = connection.execute(
                "SELECT keyword_name FROM duckdb_keywords()"
                " WHERE keyword_category IN ('reserved', 'type_function')"
            ).fetchall()
        preparer = engine.dialect.identifier_preparer
        preparer.reserved_words = {*preparer.reserved_words, *(word for (word,) in words)}

    def connection_remedy(self, error: BaseException) -> str | None:
        """Say what to change; a file that another process has open may be closed a little later."""
        if "Could not set lock" in str(error):
            return None
        return "correct the path in the connection's host, or its extra"

    def is_read_only(self, error: BaseException) -> bool:
        """Whether the connection's extra says ``read_only``, or the file is no one's to write."""
        return _READ_ONLY in str(error)

    # The file

    def file_of(self, engine: sa.Engine) -> str | None:
        """Return the path of the file; None: in memory or at MotherDuck."""
        file = super().file_of(engine)
        return None if not file or file.startswith(_NO_FILE) else file
