"""Which packages an environment of the wheel gets."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from labs.alone.environment import NotInstallableError, make_environment, next_airflow, pythons, without
from labs.ground.command import ROOT


def test_the_next_airflow_replaces_its_own_pins_alone() -> None:
    pins = "apache-airflow==3.3.2\napache-airflow-providers-http==6.3.0\napache-airflow-task-sdk==1.3.2\n"
    left = without(pins, ["apache-airflow>=3.4.0b1", "apache_airflow_task_sdk>=1.4.0b1"])
    assert left == "apache-airflow-providers-http==6.3.0\n"


def test_the_next_airflow_is_newer_than_the_pinned_one() -> None:
    pins = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if ";" not in line
    )
    for each in map(Requirement, next_airflow()):
        (floor,) = each.specifier
        assert Version(floor.version) > Version(pins[each.name])
        assert Version(floor.version).is_prerelease, "otherwise no pre-release is ever taken"


def test_a_shim_that_leads_nowhere_is_no_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for minor in ("3.11", "3.12", "3.13", "3.14"):
        shim = tmp_path / f"python{minor}"
        shim.write_text("#!/bin/sh\nexit 127\n")
        shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert pythons() == []


def test_packages_that_do_not_fit_are_said_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "No solution found")

    monkeypatch.setattr(subprocess, "run", refuse)
    with pytest.raises(NotInstallableError, match="No solution found"):
        make_environment("next", "python3", tmp_path / "package.whl", tmp_path / "place")
