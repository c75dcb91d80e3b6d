"""One DAG for each thing that the page has to show, over one list each."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG

from airflow_provider_permitocr import (
    Batch,
    Budget,
    ImageTable,
    Ledger,
    MainlandPermitOcrOperator,
    ResultTable,
    shards,
)


class BranchOcrOperator(MainlandPermitOcrOperator):
    """A subclass, which Airflow does not match with the plugin's button by its name."""


def _arguments(name: str, **changed: Any) -> dict[str, Any]:
    listed = ImageTable(name, conn_id="warehouse", key="image_id", image="image", card_side="card_side")
    return {
        "task_id": "recognize_permits",
        "source": listed,
        "target": ResultTable(f"{name}_permits", conn_id="warehouse"),
        "ledger": Ledger(f"{name}_ledger", conn_id="warehouse"),
        "batch": Batch(rows=50, seconds=2),
        "pool": "tencent_permit_ocr",
        "pool_slots": 10,
        **changed,
    }


with DAG("page_live", schedule=None):
    MainlandPermitOcrOperator(
        **_arguments("live", budget=Budget(max_calls_per_day=2_000, timezone="Asia/Shanghai"))
    )

with DAG("page_subclass", schedule=None):
    BranchOcrOperator(**_arguments("subclass", pool_slots=5))

with DAG("page_shards", schedule=None):
    MainlandPermitOcrOperator.partial(**_arguments("shards", pool_slots=5)).expand(shard=shards(3))

with DAG("page_capped", schedule=None):
    MainlandPermitOcrOperator(
        **_arguments("capped", budget=Budget(max_calls_per_day=40, on_exhausted="fail"))
    )

with DAG("page_in_arrears", schedule=None):
    MainlandPermitOcrOperator(**_arguments("arrears", tencentcloud_conn_id="account_in_arrears"))
