from __future__ import annotations

import os
import subprocess
import sys


def test_onnxruntime_is_told_not_to_report_its_use_before_it_is_imported() -> None:
    script = (
        "import os, sys\n"
        "import airflow_provider_permitocr.emulator.engines\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "print(os.environ['ORT_DISABLE_TELEMETRY'])\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    told = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert told.stdout == "1\n", told.stderr
