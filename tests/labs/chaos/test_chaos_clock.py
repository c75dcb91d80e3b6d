from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import time
from datetime import UTC, datetime

from airflow_provider_permitocr.engine.ledger.calls import new_call_id
from airflow_provider_permitocr.sql.ledger import sql_ledger
from labs.chaos.programs.run_task_at import set_clock, shift_datetimes

began = time.time()
set_clock(600)
shift_datetimes(600)
assert time.time() - began > 599
assert int(new_call_id()[:12], 16) / 1000 - began > 599
assert (sql_ledger.datetime.now(UTC) - datetime.now(UTC)).total_seconds() > 599
assert isinstance(datetime.now(UTC), sql_ledger.datetime)
"""


@pytest.mark.slow
def test_all_that_the_package_looks_at_is_ahead() -> None:
    subprocess.run([sys.executable, "-c", _PROGRAM], check=True)
