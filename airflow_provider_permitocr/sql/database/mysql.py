"""What is known of MySQL or MariaDB."""

from __future__ import annotations

from airflow_provider_permitocr.sql.database.database import Database


class MySql(Database):
    """MySQL or MariaDB."""

    title = "MySQL or MariaDB"
    dialects = ("mysql", "mariadb")
    drivers = ("pymysql", "MySQLdb", "mysql")
