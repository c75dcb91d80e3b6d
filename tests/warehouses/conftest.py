"""Databases as Airflow reaches them, each through its own provider's hook."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

from labs.ground.servers.postgres import EmbeddedPostgres
from tests.support.cos_stand_in import CosStandIn
from tests.support.drivers import KNOWS_PSYCOPG
from tests.support.mariadb import OwnMariaDb
from tests.support.pgbouncer import PgBouncer, find_pgbouncer

SetConnection = Callable[..., None]

_ROOT: Final = Path(__file__).parents[2]
_SNOWFLAKE: Final = _ROOT / ".venv-snowflake" / "bin" / "python"
#: Databases, by the driver or the proxy in between.
WAREHOUSES = ("psycopg", "psycopg2", "pgbouncer", "pymysql", "mysqlclient", "sqlite", "duckdb")


def warehouses_here() -> list[str]:
    """Return those that can be had on this machine; all of them where they are required."""
    missing = set()
    if find_pgbouncer() is None and not os.environ.get("PERMITOCR_REQUIRE_PGBOUNCER"):
        missing.add("pgbouncer")
    if find_spec("MySQLdb") is None and not os.environ.get("PERMITOCR_REQUIRE_MARIADB"):
        missing.add("mysqlclient")
    if not KNOWS_PSYCOPG:
        missing.add("psycopg")
    return [kind for kind in WAREHOUSES if kind not in missing]


@pytest.fixture
def connect_warehouse(
    request: pytest.FixtureRequest,
    new_database: Callable[[], str],
    set_connection: SetConnection,
    tmp_path: Path,
) -> Callable[[str], None]:
    """Make ``warehouse`` lead to an empty database of this kind, and ``ledger`` to one of SQLite."""

    def connect(kind: str) -> None:
        fields: dict[str, Any]
        if kind in ("psycopg", "psycopg2"):
            server: EmbeddedPostgres = request.getfixturevalue("postgres")
            extra = {"sqlalchemy_scheme": f"postgresql+{kind}"}
            fields = {**server.airflow_connection(new_database()), "extra": extra}
        elif kind == "pgbouncer":
            bouncer: PgBouncer = request.getfixturevalue("pgbouncer")
            fields = bouncer.airflow_connection(new_database())
        elif kind in ("pymysql", "mysqlclient"):
            own: OwnMariaDb = request.getfixturevalue("own_mariadb")
            own.run("DROP DATABASE IF EXISTS lake", "CREATE DATABASE lake CHARACTER SET utf8mb4")
            fields = own.airflow_connection(client=kind)
        else:
            fields = {"conn_type": kind, "host": str(tmp_path / f"warehouse.{kind}")}
        set_connection("warehouse", **fields)
        # For what cannot hold a ledger of its own.
        set_connection("ledger", conn_type="sqlite", host=str(tmp_path / f"ledger of {kind}.db"))

    return connect


@pytest.fixture(scope="session")
def in_snowflake(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Run a program of ``tests/warehouses/snowflake`` beside Snowflake's connector; return what it saw."""
    assert _SNOWFLAKE.exists(), f"{_SNOWFLAKE} is missing: `make snowflake` sets it up"

    def run(program: str, wanted: dict[str, Any] | None = None) -> Any:
        directory = tmp_path_factory.mktemp("snowflake")
        asked, seen = directory / "asked.json", directory / "seen.json"
        asked.write_text(json.dumps(wanted), encoding="utf-8")
        files = [str(seen)] if wanted is None else [str(asked), str(seen)]
        connections = {name: value for name, value in os.environ.items() if name.startswith("AIRFLOW_CONN_")}
        environment = {
            **{"PATH": os.environ["PATH"], "PYTHONPATH": str(_ROOT), "PYTHONUTF8": "1"},
            **{"HOME": str(directory), "AIRFLOW_HOME": str(directory), **connections},
        }
        done = subprocess.run(
            [str(_SNOWFLAKE), "-m", f"tests.warehouses.snowflake.{program}", *files],
            env=environment,
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(seen.read_text(encoding="utf-8"))

    return run


@pytest.fixture
def object_stores(
    s3_endpoint: str, s3_client: Any, cos_store: CosStandIn, set_connection: SetConnection
) -> list[Callable[[bytes], str]]:
    """Put an image into S3, or into COS, and return its URL, which names its connection or does not."""
    extra = {"endpoint_url": s3_endpoint, "region_name": "us-east-1"}
    set_connection("aws_default", conn_type="aws", login="key", password="secret-word", extra=extra)
    set_connection(
        "scans_in_cos",
        conn_type="tencentcloud",
        login="AKIDcos",
        password="cos-key",
        extra={"cos_endpoint": cos_store.endpoint, "allow_endpoint": cos_store.endpoint},
    )
    s3_client.create_bucket(Bucket="scans")
    numbers = count()

    def into_s3(image: bytes) -> str:
        key = f"2026/通行证 {next(numbers)}.png"
        s3_client.put_object(Bucket="scans", Key=key, Body=image)
        return f"s3://scans/{key}"

    def into_cos(image: bytes) -> str:
        key = f"2026/通行证 {next(numbers)}.png"
        cos_store.objects["scans-1250000000", key] = image
        return f"cos://scans_in_cos@scans-1250000000/{key}"

    return [into_s3, into_cos]
