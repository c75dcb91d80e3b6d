"""By hand, for a large archive: recognize all of it, split over four tasks that run side by side."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_permitocr import (
    ImageTable,
    MainlandPermitOcrOperator,
    ResultTable,
    shards,
)

with DAG(
    dag_id="permit_ocr_archive",
    schedule=None,
    max_active_runs=1,
    default_args={"retries": 2},
    tags=["permit-ocr"],
    doc_md=__doc__,
):
    MainlandPermitOcrOperator.partial(
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
        pool="tencent_permit_ocr",
        pool_slots=5,
    ).expand(shard=shards(4))
