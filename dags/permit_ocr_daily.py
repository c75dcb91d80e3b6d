"""Every night: recognize the permit images that came in during the day before."""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, Param

from airflow_provider_permitocr import (
    ImageTable,
    MainlandPermitOcrOperator,
    ResultTable,
)

with DAG(
    dag_id="permit_ocr_daily",
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2},
    tags=["permit-ocr"],
    owner_links={"airflow": "mailto:data-team@example.com"},
    # The form of "Trigger"; a scheduled run has these defaults.
    params={
        "plan_only": Param(
            "no",
            enum=["no", "quick", "yes"],
            title="Plan only",
            description="Make no call; return what a run would do and cost. quick: images stay closed",
        )
    },
    doc_md=__doc__,
):
    MainlandPermitOcrOperator(
        task_id="recognize_permits",
        source=ImageTable(
            "permit_images",
            conn_id="warehouse",
            key="image_id",
            image="image",
            card_side="card_side",
            updated_at="uploaded_at",
            # Triggered without a logical date, a run has no interval: then the whole list is looked through.
            # What a run leaves of its interval, the next run takes up as well.
            since="{{ data_interval_start }}",
            until="{{ data_interval_end }}",
        ),
        target=ResultTable("permits", conn_id="warehouse"),
        plan_only="{{ params.plan_only }}",
        pool="tencent_permit_ocr",
        pool_slots=20,
        # Each success sends an event with the run's numbers. To run a DAG on it: schedule=[Asset("permits")].
        outlets=[Asset("permits")],
    )
