"""The statements for databases that no test can reach, as their own dialects compile them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from pymysql.cursors import RE_INSERT_VALUES
from sqlalchemy.dialects import mysql, registry

from airflow_provider_permitocr.core.columns import COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.sql.result_schema import result_table
from airflow_provider_permitocr.sql.upsert import upsert

CARRIED = (
    Column("order", ColumnKind.TEXT, "a reserved word"),
    Column('a "b" `c`', ColumnKind.TEXT, "quotes"),
)
SNOWFLAKE: sa.Dialect = registry.load("snowflake")()
BIGQUERY: sa.Dialect = registry.load("bigquery")(paramstyle="pyformat")
REDSHIFT: sa.Dialect = registry.load("redshift.psycopg2")()
SQL_SERVER: sa.Dialect = registry.load("mssql.pyodbc")()
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Recorder:
    """A connection that keeps what it is asked to execute."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self.dialect = dialect
        self.statements: list[tuple[sa.ClauseElement, Any]] = []

    def execute(self, statement: sa.ClauseElement, rows: Any = None) -> None:
        self.statements.append((statement, rows))

    def compiled(self) -> Iterator[sa.Compiled]:
        return (statement.compile(dialect=self.dialect) for statement, _ in self.statements)


def rows_of(number: int) -> list[dict[str, Any]]:
    empty = dict.fromkeys(column.name for column in (*COLUMNS, *CARRIED))
    values = {
        "name": "O'BRIEN; --",
        "birthday": date(1990, 1, 2),
        "order": "secret order",
        "processed_at": NOON,
    }
    return [
        empty | {"image_key": f"secret {each}", "card_side": "FRONT", "status": "recognized"} | values
        for each in range(number)
    ]


def written(dialect: sa.Dialect, number: int = 2, **rule: Any) -> Recorder:
    recorder = Recorder(dialect)
    table = result_table("select.permits", (*COLUMNS, *CARRIED))
    upsert(recorder, table, rows_of(number), **rule)  # type: ignore[arg-type]
    return recorder


@pytest.mark.parametrize(
    ("dialect", "quote"),
    [(SNOWFLAKE, '"'), (BIGQUERY, "`")],
    ids=["snowflake", "bigquery"],
)
def test_merge_replaces_by_key_in_one_statement_without_any_value_in_it(
    dialect: sa.Dialect, quote: str
) -> None:
    (compiled,) = written(dialect).compiled()
    text = str(compiled)
    plain = text.replace(quote, "")
    assert plain.startswith("MERGE INTO select.permits AS old_rows USING (SELECT CAST(")
    assert plain.count("UNION ALL") == 1
    assert ") AS new_rows ON old_rows.image_key = new_rows.image_key AND old_rows.card_side" in plain
    assert " WHEN MATCHED THEN UPDATE SET status = new_rows.status, " in plain
    assert " WHEN NOT MATCHED THEN INSERT (image_key, card_side, status, " in plain
    assert f"{quote}select{quote}.{quote}permits{quote}" in text or f"{quote}select{quote}.permits" in text
    assert f"{quote}order{quote} = " in text
    assert "secret" not in text
    assert "BRIEN" not in text
    bound = list(compiled.params.values())
    assert len(bound) == 2 * (len(COLUMNS) + len(CARRIED))
    assert {"secret 0", "secret 1", "O'BRIEN; --", NOON} <= set(bound)


def test_merge_updates_no_key() -> None:
    (compiled,) = written(SNOWFLAKE).compiled()
    update = str(compiled).partition("UPDATE SET")[2].partition("WHEN NOT MATCHED")[0]
    assert "image_key" not in update
    assert "card_side" not in update


@pytest.mark.parametrize("dialect", [SNOWFLAKE, BIGQUERY], ids=["snowflake", "bigquery"])
def test_merge_replaces_no_newer_row_and_leaves_out_what_is_kept(dialect: sa.Dialect) -> None:
    (compiled,) = written(dialect, guard="version", keep=["name", "birthday"]).compiled()
    text = str(compiled).replace("`", "").replace('"', "")
    is_older = "(old_rows.version IS NULL OR old_rows.version <= new_rows.version)"
    assert f" WHEN MATCHED AND {is_older} THEN UPDATE SET status = " in text
    update, _, insert = text.partition("UPDATE SET")[2].partition("WHEN NOT MATCHED")
    assert ", version = new_rows.version" in update
    assert "new_rows.name" not in update
    assert {"new_rows.name", "new_rows.birthday"} <= set(insert.replace(",", " ").replace(")", " ").split())


@pytest.mark.parametrize("server", ["MySQL 5.7", "MySQL 8.4", "MariaDB"])
@pytest.mark.parametrize("rule", [{}, {"guard": "version"}, {"guard": "version", "keep": ["name"]}], ids=str)
def test_pymysql_sends_all_rows_in_one_statement(server: str, rule: dict[str, Any]) -> None:
    dialect = mysql.dialect(paramstyle="pyformat")
    dialect.is_mariadb = server == "MariaDB"
    dialect.server_version_info = (5, 7) if server == "MySQL 5.7" else (8, 4)
    dialect._requires_alias_for_on_duplicate_key = server == "MySQL 8.4"
    (compiled,) = written(dialect, **rule).compiled()
    matched = RE_INSERT_VALUES.match(str(compiled))
    assert matched
    assert "image_key)s" in matched[2]
    assert "ON DUPLICATE KEY UPDATE" in matched[3] % ()


def test_mysql_assigns_the_version_last() -> None:
    (compiled,) = written(mysql.dialect(), guard="version").compiled()
    update = str(compiled).partition("ON DUPLICATE KEY UPDATE")[2]
    assert update.rpartition(", version = ")[2].startswith("CASE WHEN (")
    assert update.count(" version = ") == 1


def test_bigquery_is_told_the_type_of_each_parameter() -> None:
    (compiled,) = written(BIGQUERY, 1).compiled()
    types = [type(bind.type) for name, bind in compiled.binds.items() if name.startswith("param_")]  # type: ignore[attr-defined]
    assert {sa.Date, sa.Boolean, sa.BigInteger, sa.DateTime} <= set(types)
    assert sa.types.NullType not in types


def test_merge_stays_below_the_number_of_parameters_that_bigquery_takes() -> None:
    statements = list(written(BIGQUERY, 1000).compiled())
    assert max(len(compiled.params) for compiled in statements) <= 10_000
    assert sum(str(compiled).count(" UNION ALL ") + 1 for compiled in statements) == 1000


def test_redshift_deletes_by_key_then_inserts() -> None:
    recorder = written(REDSHIFT)
    delete, insert = recorder.compiled()
    assert str(delete).startswith('DELETE FROM "select".permits WHERE ')
    assert str(delete).count("image_key = ") == 2
    assert str(insert).startswith('INSERT INTO "select".permits (image_key, card_side, status, ')
    assert '"order"' in str(insert)
    assert '"a ""b"" `c`"' in str(insert)
    assert "secret" not in f"{delete} {insert}"
    assert recorder.statements[1][1] == rows_of(2)


def test_other_databases_delete_few_enough_keys_at_once_for_sql_server() -> None:
    *deletes, _ = written(SQL_SERVER, 1200).compiled()
    assert len(deletes) == 3
    assert max(len(compiled.params) for compiled in deletes) < 2100
