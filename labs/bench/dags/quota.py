"""The DAGs of the part *quota*: this provider in a pool of 20, in several ways."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG

from airflow_provider_permitocr import (
    ImageTable,
    MainlandPermitOcrOperator,
    ResultTable,
    shards,
)
from labs.bench.cases import QUOTA_CASES, WAREHOUSE, BenchDag, Case


def _dag(case: Case, described: BenchDag) -> DAG:
    source = ImageTable(
        described.images, conn_id=WAREHOUSE, key="image_id", image="image", card_side="card_side"
    )
    task: dict[str, Any] = {
        "task_id": "recognize",
        "source": source,
        "target": ResultTable(described.permits, conn_id=WAREHOUSE),
        "tencentcloud_conn_id": case.account,
        "pool": case.name,
        "pool_slots": described.slots,
    }
    with DAG(described.dag_id, schedule=None) as dag:
        if described.shards > 1:
            MainlandPermitOcrOperator.partial(**task).expand(shard=shards(described.shards))
        else:
            MainlandPermitOcrOperator(**task)
    return dag


for each in QUOTA_CASES:
    for dag in each.dags:
        globals()[dag.dag_id] = _dag(each, dag)
