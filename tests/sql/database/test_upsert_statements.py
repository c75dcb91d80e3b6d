"""The statements for servers of MySQL that no test can reach, as the dialect compiles them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from pymysql.cursors import RE_INSERT_VALUES
from sqlalchemy.dialects import mysql

from airflow_provider_permitocr.permit.columns import COLUMNS, Column, ColumnKind
from airflow_provider_permitocr.sql.dialects.mysql import MySql
from airflow_provider_permitocr.sql.dialects.replacing import Replacing
from airflow_provider_permitocr.sql.targets.result_schema import result_table

CARRIED = (
    Column("order", ColumnKind.TEXT, "a reserved word"),
    Column('a "b" `c`', ColumnKind.TEXT, "quotes"),
)
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
    MySql().upsert(recorder, table, rows_of(number), Replacing(**rule))  # type: ignore[arg-type]
    return recorder


@pytest.mark.parametrize("server", ["MySQL 5.7", "MySQL 8.4", "MariaDB"])
@pytest.mark.parametrize(
    "rule", [{}, {"guard": "version"}, {"guard": "version", "keep": frozenset(["name"])}], ids=str
)
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
