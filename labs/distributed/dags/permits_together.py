"""Two DAGs that share a pool, and so an account's quota: one task with 8 slots, four shards with 3 each."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_permitocr import (
    Batch,
    ImageTable,
    MainlandPermitOcrOperator,
    ResultTable,
    shards,
)

POOL = "tencent_permit_ocr"
#: A killed worker is not the task's fault: the next try finishes its images.
TRIED_AGAIN = {"retries": 3, "retry_delay": timedelta(seconds=1)}
#: With the connection's call_timeout, it decides how long the calls of a killed worker hold their images.
BATCH = Batch(patience_seconds=10)


def image_list(dag_id: str) -> ImageTable:
    """Return the image list of a DAG."""
    return ImageTable(
        f"{dag_id}_images", conn_id="warehouse", key="image_id", image="image", card_side="card_side"
    )


with DAG("in_one_task", schedule=None, default_args=TRIED_AGAIN) as in_one_task:
    MainlandPermitOcrOperator(
        task_id="recognize",
        source=image_list("in_one_task"),
        target=ResultTable("in_one_task_permits", conn_id="warehouse"),
        pool=POOL,
        pool_slots=8,
        batch=BATCH,
    )

with DAG("in_shards", schedule=None, default_args=TRIED_AGAIN) as in_shards:
    MainlandPermitOcrOperator.partial(
        task_id="recognize",
        source=image_list("in_shards"),
        target=ResultTable("in_shards_permits", conn_id="warehouse"),
        pool=POOL,
        pool_slots=3,
        batch=BATCH,
    ).expand(shard=shards(4))
