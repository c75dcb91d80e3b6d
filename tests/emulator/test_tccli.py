from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY
from airflow_provider_permitocr.permit.api import CardSide

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from tests.emulator.conftest import Caller, FakeEngine, ImageServer

TCCLI = Path(__file__).parents[2] / ".venv-tccli" / "bin" / "tccli"

Tccli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tccli(start: Callable[..., Caller], tmp_path: Path) -> Tccli:
    assert TCCLI.exists(), f"{TCCLI} is missing: `make tccli` installs it in an environment of its own"
    caller = start(tls=tmp_path / "tls")
    # It trusts what certifi says and nothing else, so it is given a certifi that says ca.pem.
    (tmp_path / "trust" / "certifi").mkdir(parents=True)
    stand_in = f"def where(): return {str(caller.emulator.ca_file)!r}\n"
    (tmp_path / "trust" / "certifi" / "__init__.py").write_text(stand_in, encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(tmp_path / "trust"),
        "TENCENTCLOUD_SECRET_ID": DEFAULT_SECRET_ID,
        "TENCENTCLOUD_SECRET_KEY": DEFAULT_SECRET_KEY,
        "TENCENTCLOUD_REGION": "ap-guangzhou",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(TCCLI), *arguments, "--endpoint", caller.emulator.endpoint]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return run


def test_recognizes_over_tls(tccli: Tccli, engine: FakeEngine, image_server: ImageServer, png: bytes) -> None:
    image_server.files["/permit.png"] = png
    url = image_server.url("/permit.png")
    done = tccli("ocr", "MainlandPermitOCR", "--ImageUrl", url, "--CardSide", "BACK", "--RetProfile", "True")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Number"] == "08320271"
    assert engine.asked == [(png, CardSide.BACK, True)]


def test_says_what_is_wrong(tccli: Tccli) -> None:
    done = tccli("ocr", "MainlandPermitOCR", "--ImageBase64", "aGFsbG8=")
    assert done.returncode != 0
    assert "FailedOperation.ImageDecodeFailed" in done.stderr


def test_tells_who_is_calling(tccli: Tccli) -> None:
    done = tccli("sts", "GetCallerIdentity")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Type"] == "CAMUser"
