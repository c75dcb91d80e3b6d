"""Every morning: recognize what came in, then have up to 500 doubtful readings decided, 50 in a question."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronDataIntervalTimetable

from airflow_provider_permitocr import (
    ImageTable,
    MainlandPermitOcrOperator,
    PermitReviewOperator,
    ResultTable,
)

with DAG(
    dag_id="permit_ocr_review",
    schedule=CronDataIntervalTimetable("0 6 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"retries": 2},
    tags=["permit-ocr"],
    doc_md=__doc__,
):
    recognize = MainlandPermitOcrOperator(
        task_id="recognize_permits",
        source=ImageTable(
            "permit_images",
            conn_id="warehouse",
            key="image_id",
            image="image",
            card_side="card_side",
            updated_at="uploaded_at",
        ),
        target=ResultTable("permits", conn_id="warehouse"),
        # One run after the other, while earlier runs may still wait for answers.
        max_active_tis_per_dag=1,
        pool="tencent_permit_ocr",
        pool_slots=20,
    )
    review = PermitReviewOperator.partial(
        task_id="review",
        recognition=recognize,
        # Where a person looks at the image; it has to ask who they are.
        link="https://viewer.example.com/permits/{image_key}?side={card_side}",
        # What nobody has decided by then, the next run asks about.
        response_timeout=timedelta(days=3),
    ).expand(question=list(range(1, 11)))
    recognize >> review
