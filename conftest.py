"""Gives the tests an Airflow of their own; it has to be set up before anything imports Airflow."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_HOME = Path(tempfile.mkdtemp(prefix="permitocr-tests-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

# Nothing of the user's own Airflow may reach the tests.
for _name in [name for name in os.environ if name.startswith("AIRFLOW")]:
    del os.environ[_name]
os.environ |= {
    "AIRFLOW_HOME": str(_HOME),
    "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "dags"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    "AIRFLOW__API_AUTH__JWT_SECRET": "tests-only-" + "x" * 64,
}
