"""By hand, for a large archive: recognize all of it, split over four tasks that run side by side."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_permitocr import (
    Budget,
    ImageTable,
    Ledger,
    MainlandPermitOcrOperator,
    Redo,
    ResultTable,
    shards,
)

with DAG(
    dag_id="permit_ocr_archive",
    schedule=None,
    max_active_runs=1,
    default_args={"retries": 2},
    tags=["permit-ocr"],
    owner_links={"airflow": "mailto:data-team@example.com"},
    # The form of "Trigger".
    params={
        "plan_only": Param(
            "no",
            enum=["no", "quick", "yes"],
            title="Plan only",
            description="Make no call; return what a run would do and cost. quick: images stay closed",
        ),
        "max_calls": Param(
            100_000,
            type="integer",
            minimum=0,
            title="Most calls",
            description="All shards and tries of this run together. The next run takes up the rest",
        ),
        "redo": Param(
            [],
            type="array",
            items={"type": "string", "enum": ["recognized", "rejected", "failed"]},
            examples=["recognized", "rejected", "failed"],
            title="Pay again for",
            description="Images with these statuses are recognized again, one call each. Empty: none are",
        ),
    },
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
        ledger=Ledger("permit_ocr", conn_id="warehouse"),
        budget=Budget(max_calls="{{ params.max_calls }}"),
        redo=Redo(statuses="{{ params.redo | join(',') }}"),
        plan_only="{{ params.plan_only }}",
        pool="tencent_permit_ocr",
        pool_slots=5,
    ).expand(shard=shards(4))
