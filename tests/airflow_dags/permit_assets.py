"""A task that sends asset events, and DAGs that run on them."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, AssetAlias, task

from airflow_provider_permitocr import ImageTable, MainlandPermitOcrOperator, ResultTable

PERMITS, TARGETS = Asset("permits_table"), AssetAlias("permit_targets")

with DAG(dag_id="permit_assets", schedule=None):
    MainlandPermitOcrOperator(
        task_id="recognize_permits",
        source=ImageTable("permit_images", conn_id="warehouse", key="image_id", image="image"),
        target=ResultTable("permits", conn_id="warehouse"),
        pool_slots=20,
        outlets=[PERMITS, TARGETS],
    )

for name, schedule in (("on_asset", PERMITS), ("on_alias", TARGETS)):
    with DAG(dag_id=f"permit_{name}", schedule=[schedule]):

        @task
        def rows(triggering_asset_events: Any = None) -> list[int]:
            """Return how many rows each event says were written."""
            assert triggering_asset_events
            return [each.extra["rows"] for events in triggering_asset_events.values() for each in events]

        rows()
