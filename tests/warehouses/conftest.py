"""Databases as Airflow reaches them, each through its own provider's hook."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from demo.postgres import EmbeddedPostgres

SetConnection = Callable[..., None]

WAREHOUSES = ("postgresql", "mariadb", "sqlite", "duckdb")


@pytest.fixture
def connect_warehouse(
    request: pytest.FixtureRequest, set_connection: SetConnection, tmp_path: Path
) -> Callable[[str], None]:
    """Make the Airflow connection ``warehouse`` lead to an empty database of this kind."""

    def connect(kind: str) -> None:
        fields: dict[str, Any]
        if kind == "postgresql":
            server: EmbeddedPostgres = request.getfixturevalue("postgres")
            fields = server.airflow_connection(request.getfixturevalue("postgres_database"))
        elif kind == "mariadb":
            url: sa.URL = request.getfixturevalue("mariadb_engine").url
            fields = {
                "conn_type": "mysql",
                "host": url.host,
                "port": url.port,
                "login": url.username,
                "password": url.password,
                "schema": url.database,
                "extra": {"client": "pymysql", "charset": "utf8mb4"},
            }
        else:
            fields = {"conn_type": kind, "host": str(tmp_path / f"warehouse.{kind}")}
        set_connection("warehouse", **fields)

    return connect
