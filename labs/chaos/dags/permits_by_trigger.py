"""One DAG per kind of trigger, all with the data interval as the documentation shows it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, Asset, CronDataIntervalTimetable

from airflow_provider_permitocr import (
    ImageTable,
    MainlandPermitOcrOperator,
    ResultTable,
)

START = pendulum.datetime(2026, 1, 1, tz="UTC")
DAILY = CronDataIntervalTimetable("0 0 * * *", timezone="UTC")
#: The scheduler makes up for one interval, and one only.
ONE_DAY = {"start_date": START, "end_date": START, "catchup": True}
#: The scheduler starts nothing before tomorrow.
BY_HAND = {"schedule": DAILY, "start_date": pendulum.today("UTC"), "catchup": False}

SCHEDULES: dict[str, dict[str, Any]] = {
    "trigger_daily": {"schedule": "@daily", **ONE_DAY},
    "trigger_interval": {"schedule": DAILY, **ONE_DAY},
    "trigger_continuous": {"schedule": "@continuous", "start_date": START, "max_active_runs": 1},
    "trigger_cli": BY_HAND,
    "trigger_cli_dated": BY_HAND,
    "trigger_rest": BY_HAND,
    "trigger_asset": {"schedule": Asset("trigger_asset")},
    "trigger_backfill": {"schedule": DAILY, **ONE_DAY, "catchup": False},
}

for situation, schedule in SCHEDULES.items():
    with DAG(situation, default_args={"retries": 2, "retry_delay": timedelta(seconds=1)}, **schedule):
        MainlandPermitOcrOperator(
            task_id="recognize_permits",
            source=ImageTable(
                "images",
                conn_id=f"{situation}_warehouse",
                key="image_id",
                image="image",
                card_side="card_side",
                updated_at="uploaded_at",
                since="{{ data_interval_start }}",
                until="{{ data_interval_end }}",
            ),
            target=ResultTable("permits", conn_id=f"{situation}_warehouse"),
            tencentcloud_conn_id=f"{situation}_account",
            pool="tencent_permit_ocr",
            pool_slots=20,
        )
