from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.permit.api import SITES

pytestmark = pytest.mark.slow

_SCRIPT = Path(__file__).with_name("sdk_package_check.py")
_COMBINATIONS = Path(__file__).parents[2] / ".cache" / "sdk"


@pytest.mark.parametrize("combination", ["full-then-ocr", "ocr-then-full", "intl-then-ocr", "ocr-then-intl"])
def test_sibling_package_of_the_sdk_breaks_nothing(
    emulator: RunningEmulator, front: Specimen, tmp_path: Path, combination: str
) -> None:
    packages = _COMBINATIONS / combination
    if not (packages / "tencentcloud" / "ocr").is_dir():
        pytest.fail(f"{packages} is missing or not whole; make it: make sdk-packages")
    image = tmp_path / "permit.jpg"
    image.write_bytes(front.image)
    done = subprocess.run(
        [sys.executable, _SCRIPT, emulator.endpoint, DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY, image],
        env={**os.environ, "PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert Path(told["sdk"]).is_relative_to(packages)
    assert told["fields"] == front.fields
    assert told["typed_number"] == front.fields["Number"]
    assert "qcs::cam::uin/" in told["identity"]
    assert told["sites"] == {name: ["https", site.endpoint, site.language] for name, site in SITES.items()}
