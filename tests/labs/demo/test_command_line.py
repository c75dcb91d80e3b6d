from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]


def _run(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labs.demo", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_names_the_ui_option(tmp_path: Path) -> None:
    shown = _run("--help", directory=tmp_path)
    assert shown.returncode == 0
    assert "--ui" in shown.stdout


@pytest.mark.slow
def test_start_that_fails_says_why_and_ends_with_status_1(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the directory should be")
    failed = _run("--state", "state", directory=tmp_path)
    assert failed.returncode == 1
    assert "The demo failed" in failed.stdout
    assert f"'{tmp_path}/state'" in failed.stdout.replace("\n", "")
