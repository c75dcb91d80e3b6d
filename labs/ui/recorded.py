"""A thousand finished runs: copies of one, in Airflow's own database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, LiteralString

import psycopg
from psycopg import sql

#: Columns that distinguish a copy from its original; all others are the same.
_RUN: Final = {
    "id": "(SELECT max(id) FROM dag_run) + number",
    "run_id": "'recorded__' || number",
    "logical_date": "NULL",
    "run_after": "source.run_after - number * interval '1 hour'",
}
_TASK: Final = {"id": "gen_random_uuid()", "run_id": "'recorded__' || number"}
_XCOM: Final = {
    "dag_run_id": "(SELECT id FROM dag_run WHERE dag_id = source.dag_id AND run_id = 'recorded__' || number)",
    "run_id": "'recorded__' || number",
}
#: From Airflow 3.4 on, an entry belongs to a try, and has none of its names.
_XCOM_OF_TRY: Final = {
    "id": "gen_random_uuid()",
    "task_instance_id": (
        "(SELECT id FROM task_instance WHERE dag_id = source.dag_id AND run_id = 'recorded__' || number)"
    ),
}
_TRIES_XCOM: Final = (
    "(SELECT xcom_v2.*, dag_id, run_id FROM xcom_v2"
    " JOIN task_instance ON task_instance.id = xcom_v2.task_instance_id)"
)
_PROGRESS: Final = "AND source.key = 'permitocr_progress'"


def record_runs(dsn: str, dag_id: str, number: int) -> None:
    """Copy the one run of a DAG with its task and its progress.

    :param dsn: libpq URI of Airflow's database.
    """
    with psycopg.connect(dsn) as connection:
        _copy(connection, "dag_run", _RUN, dag_id, number)
        _copy(connection, "task_instance", _TASK, dag_id, number)
        if _columns(connection, "xcom_v2"):
            _copy(connection, "xcom_v2", _XCOM_OF_TRY, dag_id, number, _TRIES_XCOM, _PROGRESS)
        else:
            _copy(connection, "xcom", _XCOM, dag_id, number, "xcom", _PROGRESS)
        connection.execute("ANALYZE")


def _copy(
    connection: psycopg.Connection,
    table: str,
    changed: Mapping[str, LiteralString],
    dag_id: str,
    number: int,
    source: LiteralString | None = None,
    condition: LiteralString = "",
) -> None:
    """Copy the rows of a DAG's own run.

    :param source: what has the table's columns and ``dag_id`` and ``run_id``; None: the table itself.
    """
    columns = _columns(connection, table)
    values = [
        sql.SQL(changed[name]) if name in changed else sql.SQL("source.{}").format(sql.Identifier(name))
        for name in columns
    ]
    connection.execute(
        sql.SQL(
            "INSERT INTO {table} ({columns}) SELECT {values} FROM {source} AS source,"
            " generate_series(1, {number}) AS number"
            " WHERE source.dag_id = {dag_id} AND source.run_id NOT LIKE 'recorded%%' {condition}"
        ).format(
            table=sql.Identifier(table),
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
            values=sql.SQL(", ").join(values),
            source=sql.SQL(source) if source else sql.Identifier(table),
            number=sql.Literal(number),
            dag_id=sql.Literal(dag_id),
            condition=sql.SQL(condition),
        ),
    )


def _columns(connection: psycopg.Connection, table: str) -> list[str]:
    """Return a table's columns that can be written; none if there is no such table."""
    rows = connection.execute(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_name = %s AND table_schema = 'public' AND is_generated = 'NEVER'",
        (table,),
    )
    return [row[0] for row in rows]
