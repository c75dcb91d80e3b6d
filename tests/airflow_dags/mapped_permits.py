"""One task per list, each rendered for itself."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_provider_permitocr import (
    ImageQuery,
    MainlandPermitOcrOperator,
    ResultTable,
)

_SQL = "SELECT image_id, image FROM permit_images WHERE image_id = :wanted AND '{{ dag.dag_id }}' <> ''"

with DAG("mapped_permits", schedule=None):
    MainlandPermitOcrOperator.partial(
        task_id="recognize",
        target=ResultTable("permits_{{ ti.map_index }}", conn_id="warehouse"),
        pool_slots=5,
    ).expand(
        source=[
            ImageQuery(_SQL, conn_id="warehouse", key="image_id", image="image", parameters={"wanted": key})
            for key in ("k0", "k1")
        ]
    )
