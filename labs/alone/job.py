"""Runs in the environment of the wheel, away from the repository; writes what it saw to the file it is given.

It only needs Airflow and the package: no module of the repository, no library of an extra.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DAG_ID = "permit_ocr_daily"
RUN_AFTER = datetime(2026, 5, 2, 2, tzinfo=UTC)


def main() -> None:
    """Find the provider, load the plugin, parse the DAGs, run the daily one."""
    from airflow import __version__
    from airflow.dag_processing.dagbag import DagBag
    from airflow.plugins_manager import get_fastapi_plugins
    from airflow.providers_manager import ProvidersManager
    from airflow.utils.db import upgradedb

    import airflow_provider_permitocr

    upgradedb()
    manager = ProvidersManager()  # type: ignore[no-untyped-call]
    pages = [each["url_prefix"] for each in get_fastapi_plugins()[0] if each["name"] == "Permit OCR"]
    bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"], known_pools={"default_pool", "tencent_permit_ocr"})
    seen: dict[str, Any] = {
        "airflow": __version__,
        "python": platform.python_version(),
        "package": str(Path(airflow_provider_permitocr.__file__).parent),
        "provider": manager.providers["airflow-provider-permitocr"].version,
        "pages": pages,
        "dags": sorted(bag.dags),
        "state": None,
        "import_errors": [f"{Path(file).name}: {text[-500:]}" for file, text in bag.import_errors.items()],
    }
    if DAG_ID in bag.dags:
        seen["state"] = str(bag.dags[DAG_ID].test(logical_date=RUN_AFTER).state)
    Path(sys.argv[1]).write_text(json.dumps(seen), encoding="utf-8")


if __name__ == "__main__":
    main()
