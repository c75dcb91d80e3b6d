"""What is known of DuckDB."""

from __future__ import annotations

from airflow_provider_permitocr.sql.database.database import Database


class DuckDb(Database):
    """DuckDB."""

    title = "DuckDB"
    dialects = ("duckdb",)
    drivers = ("duckdb", "_duckdb")
