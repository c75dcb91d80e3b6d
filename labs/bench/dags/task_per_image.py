"""What people do without this provider: one mapped task per image, in a pool that bounds how many run."""

from __future__ import annotations

from airflow.sdk import DAG, task

from labs.bench.cases import TASK_PER_IMAGE, WAREHOUSE

with DAG(TASK_PER_IMAGE, schedule=None, max_active_tasks=32):

    @task
    def images() -> list[list[str]]:
        """List the images."""
        from airflow.providers.postgres.hooks.postgres import PostgresHook

        listed = PostgresHook(WAREHOUSE).get_records(
            f"SELECT image_id, image, card_side FROM {TASK_PER_IMAGE}_images ORDER BY image_id"  # noqa: S608
        )
        return [list(row) for row in listed]

    @task(pool=TASK_PER_IMAGE)
    def recognize(image: list[str]) -> None:
        """Recognize one image and keep its row."""
        from airflow.providers.postgres.hooks.postgres import PostgresHook
        from airflow.sdk import Connection

        from labs.bench.programs.calls.official_sdk import permit_row, typed_client

        account = Connection.get(f"account_{TASK_PER_IMAGE}")
        row = permit_row(typed_client(str(account.host).removeprefix("http://")), *image)
        insert = f"INSERT INTO {TASK_PER_IMAGE}_permits VALUES (%s, %s, %s, %s)"  # noqa: S608
        PostgresHook(WAREHOUSE).run(insert, parameters=row)

    recognize.expand(image=images())
