"""Gives the tests an Airflow of their own; it has to be set up before anything imports Airflow.

Its DAG folder holds the DAGs of ``dags/`` and of ``tests/airflow_dags/``.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.compiled_once import share_compiled_statements
from tests.support.quick import COLLECTED, quick_selection

if TYPE_CHECKING:
    import sqlalchemy as sa

    from airflow_provider_permitocr.emulator.running import RunningEmulator
    from labs.ground.servers.postgres import EmbeddedPostgres

pytest_plugins = ["tests.net.fixtures", "tests.support.chromium", "pytester"]

SetConnection = Callable[..., None]

_ROOT = Path(__file__).parent
_LONGEST = ("test_mixed_images.py", "test_operator_outages.py", "test_mysql_sessions.py", "test_snowflake.py")
_HOME = Path(tempfile.mkdtemp(prefix="permitocr-tests-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

_DAGS = _HOME / "dags"
_DAGS.mkdir()
for _folder in ("dags", "tests/airflow_dags"):
    for _file in (_ROOT / _folder).glob("*.py"):
        (_DAGS / _file.name).symlink_to(_file)

# Where no bytecode is written, each worker would compile tests and Airflow again, for a quarter of a minute.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(_ROOT / ".cache" / "bytecode"))
    sys.dont_write_bytecode, sys.pycache_prefix = False, os.environ["PYTHONPYCACHEPREFIX"]

# Nothing of the user's own Airflow may reach the tests.
for _name in [name for name in os.environ if name.startswith("AIRFLOW")]:
    del os.environ[_name]
os.environ |= {
    "AIRFLOW_HOME": str(_HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(_DAGS),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    "AIRFLOW__API_AUTH__JWT_SECRET": "tests-only-" + "x" * 64,
}


share_compiled_statements()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer a run that is over soon."""
    parser.addoption(
        "--quick",
        action="store_true",
        help="leave out tests marked slow or whole_runs, and databases and drivers that another stands for",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Have xdist keep the order of `pytest_collection_modifyitems`: it puts files of many tests first."""
    config.option.loadscopereorder = False
    # Collecting makes a million objects and hardly any garbage: looking for it takes a quarter of the time.
    gc.disable()


def pytest_collection_finish() -> None:
    """Look for no garbage in what was imported and collected: it stays until the end.

    What libraries keep of tests grows as well, and hardly any of it is garbage: looking through all of it
    time and again takes up to a tenth of the time of tests.
    """
    gc.freeze()
    gc.set_threshold(10_000, 50, 1_000)
    gc.enable()


def pytest_unconfigure() -> None:
    """End without a look through all there is: pytest would take five, and Python two, for seconds.

    DuckDB reports what it still holds then: a worker has nobody to tell, and another process lets go of it.
    """
    gc.freeze()
    atexit.register(_say_no_more if "PYTEST_XDIST_WORKER" in os.environ else gc.unfreeze)


def _say_no_more() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Select what `--quick` asks for; what takes longest goes first, lest one worker is left with it."""
    config.stash[COLLECTED] = tuple(items)
    if config.getoption("quick"):
        selected, left_out = quick_selection(items)
        items[:] = selected
        config.hook.pytest_deselected(items=left_out)
    items.sort(key=lambda item: item.path.name not in _LONGEST)


@pytest.fixture
def set_connection(monkeypatch: pytest.MonkeyPatch) -> SetConnection:
    """Define an Airflow connection for this test: its id, then its fields by name."""

    def set_fields(conn_id: str, **fields: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))

    return set_fields


@pytest.fixture
def connect_emulator(set_connection: SetConnection) -> Callable[..., None]:
    """Make ``tencentcloud_default`` lead to an emulator; further fields of the connection by name."""
    from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY

    def connect(emulator: RunningEmulator, **fields: Any) -> None:
        account = {"login": DEFAULT_SECRET_ID, "password": DEFAULT_SECRET_KEY}
        address = {"host": f"http://{emulator.endpoint}"}
        set_connection("tencentcloud_default", conn_type="tencentcloud", **(account | address | fields))

    return connect


@pytest.fixture
def warehouse(
    postgres: EmbeddedPostgres,
    postgres_database: str,
    postgres_engine: sa.Engine,
    set_connection: SetConnection,
) -> sa.Engine:
    """An empty PostgreSQL database, also reached through the Airflow connection ``warehouse``."""
    set_connection("warehouse", **postgres.airflow_connection(postgres_database))
    return postgres_engine


@pytest.fixture(scope="session")
def airflow_metadata() -> None:
    """Airflow's metadata database, migrated, in a SQLite file."""
    from airflow.utils.db import upgradedb

    upgradedb()
