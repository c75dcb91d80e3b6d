from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.core.columns import Column, ColumnKind, result_columns
from airflow_provider_permitocr.core.errors import ConfigurationError
from airflow_provider_permitocr.core.models import Record
from airflow_provider_permitocr.hooks.sql_engine import sql_engine
from airflow_provider_permitocr.sql.database.failures import DatabaseError
from airflow_provider_permitocr.sql.result_target import SqlResultTarget
from airflow_provider_permitocr.sql.tables import ResultTable

SetConnection = Callable[..., None]
_RESULTS = ResultTable("permits", conn_id="lake", documents_view="documents")

_HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("CREATE TABLE held (a int)")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def duckdb_file(tmp_path: Path, set_connection: SetConnection) -> Path:
    """A DuckDB file that is not there yet, as Airflow's own provider connects to it."""
    file = tmp_path / "lake.duckdb"
    set_connection("lake", conn_type="duckdb", host=str(file))
    return file


def test_duckdb_takes_results_through_airflows_own_hook(duckdb_file: Path) -> None:
    from airflow_provider_permitocr.core.frame import to_frame

    engine = sql_engine("lake")
    carried = result_columns([Column("pivot", ColumnKind.TEXT, "A word that DuckDB reserves")])
    target = SqlResultTarget(engine, _RESULTS)
    target.prepare(carried)
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    record: Record = {"image_key": "a", "card_side": "FRONT", "status": "recognized", "pivot": "x"}
    target.write(to_frame([record | {"processed_at": noon}], carried))
    with engine.connect() as connection:
        assert connection.execute(sa.text('SELECT "pivot" FROM documents')).scalar_one() == "x"
    engine.dispose()
    assert duckdb_file.exists()


def test_values_are_kept_out_of_the_errors_of_duckdb(duckdb_file: Path) -> None:
    engine = sql_engine("lake")
    with engine.connect() as connection, pytest.raises(sa.exc.SQLAlchemyError) as caught:
        connection.execute(sa.text("SELECT :number FROM nowhere"), {"number": "08320271"})
    engine.dispose()
    assert "08320271" not in str(caught.value)


def test_duckdb_file_that_another_process_holds_is_said_to_be_held(duckdb_file: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(duckdb_file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        engine = sql_engine("lake")
        with pytest.raises(DatabaseError, match=r"'permits' failed: .*Could not set lock on file"):
            SqlResultTarget(engine, _RESULTS).prepare()
        engine.dispose()
    finally:
        holder.communicate()


def test_connection_that_is_missing_is_named() -> None:
    with pytest.raises(ConfigurationError, match="there is no connection 'nowhere'"):
        sql_engine("nowhere")
