"""One DAG per situation, each with a separate database for the list ``images`` and its results."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from airflow_provider_permitocr import (
    Batch,
    ImageTable,
    MainlandPermitOcrOperator,
    ResultTable,
)

START = pendulum.datetime(2026, 1, 1, tz="UTC")
TRIED_AGAIN = {"retries": 10, "retry_delay": timedelta(seconds=1)}
DAILY = CronDataIntervalTimetable("0 0 * * *", timezone="UTC")


def recognize(dag_id: str, **arguments: Any) -> MainlandPermitOcrOperator:
    """Return the task that recognizes the list of a DAG's database."""
    warehouse = f"{dag_id}_warehouse"
    source = ImageTable("images", conn_id=warehouse, key="image_id", image="image", card_side="card_side")
    defaults: dict[str, Any] = {
        "source": source,
        "target": ResultTable("permits", conn_id=warehouse),
        "tencentcloud_conn_id": f"{dag_id}_account",
        # Patience is part of how long a call of a killed task holds its image.
        "batch": Batch(rows=10, patience_seconds=10),
        "pool": "tencent_permit_ocr",
        "pool_slots": 20,
        "max_per_second": 10,
    }
    return MainlandPermitOcrOperator(task_id="recognize_permits", **(defaults | arguments))


for situation in ("task_killed", "worker_stopped", "marked_failed", "account_fault", "two_at_once"):
    with DAG(situation, schedule=None, default_args=TRIED_AGAIN):
        recognize(situation)

with DAG("out_of_time", schedule=None, default_args=TRIED_AGAIN):
    # Less than 500 images take at this pace, and more than a busy machine takes to start.
    recognize("out_of_time", execution_timeout=timedelta(seconds=45), max_per_second=8)

# One interval, which the scheduler makes up for.
with DAG(
    "scheduled", schedule=DAILY, start_date=START, end_date=START, catchup=True, default_args=TRIED_AGAIN
):
    recognize(
        "scheduled",
        source=ImageTable(
            "images",
            conn_id="scheduled_warehouse",
            key="image_id",
            image="image",
            card_side="card_side",
            updated_at="uploaded_at",
            since="{{ data_interval_start }}",
            until="{{ data_interval_end }}",
        ),
    )

# Two intervals that share the list; the scheduler starts neither.
with DAG(
    "backfilled",
    schedule=DAILY,
    start_date=START,
    end_date=START.add(days=1),
    catchup=False,
    default_args=TRIED_AGAIN,
):
    recognize("backfilled")
