"""What commands print beside their own lines: nothing, unless they are asked to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import argparse, logging, sys, warnings
import airflow.settings, structlog
from airflow_provider_permitocr.cli.airflow_internals import airflow_command

airflow.settings.initialize()
of_airflow, of_library = structlog.get_logger("airflow.dag"), logging.getLogger("airflow.library")

def log(when):
    of_airflow.error(f"{when}: structlog")
    of_library.error(f"{when}: logging")
    warnings.warn(f"{when}: warning")
    warnings.warn(f"{when}: deprecation", DeprecationWarning)

@airflow_command
def command(arguments):
    log("meanwhile")
    print("own line")

log("before")
command(argparse.Namespace(verbose=sys.argv[1] == "verbose"))
log("after")
"""
KINDS = ("structlog", "logging", "warning")


def printed(tmp_path: Path, mode: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, mode],
        env=dict(os.environ) | {"AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_a_command_prints_its_own_lines_alone(tmp_path: Path) -> None:
    said = printed(tmp_path, "quiet")
    assert "own line" in said
    assert "meanwhile" not in said
    for kind in KINDS:
        assert f"before: {kind}" in said
        assert f"after: {kind}" in said


@pytest.mark.slow
def test_a_verbose_command_prints_logs_and_warnings_too(tmp_path: Path) -> None:
    said = printed(tmp_path, "verbose")
    for kind in KINDS:
        assert f"meanwhile: {kind}" in said
