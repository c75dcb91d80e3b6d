"""A stranger follows the page, command by command, in an Airflow that is new."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from airflow_provider_permitocr.emulator.running import RunningEmulator
from tests.documentation.blocks import ROOT, blocks
from tests.documentation.test_console_blocks import commands

_PAGE: Final = "docs/start/five-minutes.md"
_FOLDER: Final = "/tmp/permits"
#: What is installed and running here already.
_DONE: Final = ("make ", "pip ", "python -m airflow_provider_permitocr.emulator")


@pytest.mark.slow
def test_every_command_of_the_page_works_and_a_second_run_makes_no_call(
    start_label_emulator: Callable[..., RunningEmulator], tmp_path: Path
) -> None:
    emulator = start_label_emulator()
    folder = tmp_path / "permits"
    (draws,) = (block.text for block in blocks("python") if block.page == _PAGE)
    (dag,) = (block.text for block in blocks("python") if block.page == "docs/index.md")
    written = [each.text for each in commands() if each.page == _PAGE and not each.text.startswith(_DONE)]
    lines = [line.replace("127.0.0.1:8520", emulator.endpoint) for line in [*written, written[-1]]]
    dags = tmp_path / "airflow" / "dags"
    dags.mkdir(parents=True)
    (dags / "permits.py").write_text(dag, encoding="utf-8")
    (tmp_path / "draw.py").write_text(draws.replace(_FOLDER, str(folder)), encoding="utf-8")
    script = "\n".join([f"{sys.executable} draw.py", *lines]).replace(_FOLDER, str(folder))

    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=tmp_path,
        env={
            **{"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
            **{"HOME": str(tmp_path), "AIRFLOW_HOME": str(tmp_path / "airflow")},
            **{"AIRFLOW__CORE__LOAD_EXAMPLES": "False", "NO_PROXY": "127.0.0.1"},
        },
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-4000:] + done.stdout[-4000:]
    assert "nothing wrong" in done.stdout
    with sqlite3.connect(folder / "permits.db") as warehouse:
        assert warehouse.execute("SELECT DISTINCT status, count(*) FROM permits").fetchall() == [
            ("recognized", 5)
        ]
    # The check asks the API, too, with what is no image.
    assert emulator.stats()["by_code"]["OK"] == 5
