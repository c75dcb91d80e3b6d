"""A thousand finished runs: copies of one, in Airflow's own database."""

from __future__ import annotations

from typing import Final

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


def record_runs(dsn: str, dag_id: str, number: int) -> None:
    """Copy the one run of a DAG with its task and its progress.

    :param dsn: libpq URI of Airflow's database.
    """
    with psycopg.connect(dsn) as connection:
        for table, changed, condition in (
            ("dag_run", _RUN, ""),
            ("task_instance", _TASK, ""),
            ("xcom", _XCOM, "AND source.key = 'permitocr_progress'"),
        ):
            columns = [
                row[0]
                for row in connection.execute(
                    "SELECT column_name FROM information_schema.columns"
                    " WHERE table_name = %s AND table_schema = 'public' AND is_generated = 'NEVER'",
                    (table,),
                )
            ]
            values = [
                sql.SQL(changed[name])
                if name in changed
                else sql.SQL("source.{}").format(sql.Identifier(name))
                for name in columns
            ]
            connection.execute(
                sql.SQL(
                    "INSERT INTO {table} ({columns}) SELECT {values} FROM {table} AS source,"
                    " generate_series(1, {number}) AS number"
                    " WHERE source.dag_id = {dag_id} AND source.run_id NOT LIKE 'recorded%%' {condition}"
                ).format(
                    table=sql.Identifier(table),
                    columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
                    values=sql.SQL(", ").join(values),
                    number=sql.Literal(number),
                    dag_id=sql.Literal(dag_id),
                    condition=sql.SQL(condition),
                ),
            )
        connection.execute("ANALYZE")
