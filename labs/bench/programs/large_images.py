"""The operator over a list of large image files, in one process: its memory."""

from __future__ import annotations

import json
import os
import sys

from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY


def main(dsn: str, endpoint: str) -> None:
    """Run the operator, and print its peak memory over idle."""
    account = {
        "conn_type": "tencentcloud",
        "login": DEFAULT_SECRET_ID,
        "password": DEFAULT_SECRET_KEY,
        "host": f"http://{endpoint}",
    }
    os.environ["AIRFLOW_CONN_TENCENTCLOUD_DEFAULT"] = json.dumps(account)
    os.environ["AIRFLOW_CONN_WAREHOUSE"] = dsn
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

    import pandas as pd  # noqa: F401 - the idle baseline includes all imports
    import sqlalchemy  # noqa: F401
    from airflow.providers.postgres.hooks.postgres import PostgresHook  # noqa: F401

    from airflow_provider_permitocr import (
        ImageTable,
        MainlandPermitOcrOperator,
        ResultTable,
    )
    from airflow_provider_permitocr.tencent import client  # noqa: F401
    from labs.bench.programs.memory import PeakMemory

    operator = MainlandPermitOcrOperator(
        task_id="recognize",
        source=ImageTable(
            "large_images", conn_id="warehouse", key="image_id", image="image", card_side="card_side"
        ),
        target=ResultTable("large_permits", conn_id="warehouse"),
        pool="tencent_permit_ocr",
        pool_slots=20,
    )
    with PeakMemory() as memory:
        operator.execute({"run_id": "bench"})
    sys.stdout.write("\n" + json.dumps({"peak_mb": memory.over_idle_mb}))


if __name__ == "__main__":
    main(*sys.argv[1:])
