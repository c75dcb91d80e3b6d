"""What is known of PostgreSQL."""

from __future__ import annotations

from airflow_provider_permitocr.sql.database.database import Database


class PostgreSql(Database):
    """PostgreSQL."""

    title = "PostgreSQL"
    dialects = ("postgresql",)
    drivers = ("psycopg", "psycopg2")
