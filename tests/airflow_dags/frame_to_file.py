"""Recognition within a task: a list is read, recognized as a frame, and written as Parquet."""

from __future__ import annotations

from airflow.sdk import DAG, ObjectStoragePath, task

with DAG("frame_to_file", schedule=None, params={"list": "", "result": ""}):

    @task(pool_slots=5)
    def recognize(listed: str, result: str) -> int:
        """Write the rows of the list with their fields beside them, and return how many there are."""
        import io

        import pandas as pd

        from airflow_provider_permitocr import MainlandPermitOcrHook

        images = pd.read_csv(io.BytesIO(ObjectStoragePath(listed).read_bytes()), dtype=str)
        permits = MainlandPermitOcrHook().recognize_frame(images, key="image_id", carry_columns=["branch"])
        ObjectStoragePath(result).write_bytes(permits.to_parquet())
        return len(permits)

    recognize("{{ params.list }}", "{{ params.result }}")
