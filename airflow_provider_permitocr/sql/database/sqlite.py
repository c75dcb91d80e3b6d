"""What is known of SQLite."""

from __future__ import annotations

from airflow_provider_permitocr.sql.database.database import Database


class Sqlite(Database):
    """SQLite."""

    title = "SQLite"
    dialects = ("sqlite",)
    drivers = ("sqlite3",)
