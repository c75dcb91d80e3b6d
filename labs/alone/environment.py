"""Environments that hold the wheel, what it asks for, and SQLite's provider for the warehouse; no extras."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from labs.ground.command import ROOT

#: The oldest Airflow that is allowed, the one of `make test`, and the newest there is, pre-releases too.
RELEASES: Final = ("oldest", "current", "next")
_NEXT: Final = "airflow-next.txt"
_PINS: Final = {"oldest": "constraints-floors.txt", "current": "constraints.txt", "next": "constraints.txt"}
_WAREHOUSE: Final = "apache-airflow-providers-sqlite"
_MINORS: Final = ("3.11", "3.12", "3.13", "3.14")


class NotInstallableError(Exception):
    """An environment cannot be made here, as packages do not fit or are out of reach."""


@dataclass(frozen=True)
class Environment:
    """An environment that can run the job.

    :param airflow: one of `RELEASES`.
    :param python: its interpreter.
    """

    airflow: str
    python: Path


def pythons() -> list[str]:
    """Return an interpreter of each Python that setup.cfg allows, as far as the path or pyenv has them."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = []
    for minor in _MINORS:
        candidates = [shutil.which(f"python{minor}"), *sorted(pyenv.glob(f"{minor}.*/bin/python"))]
        found += [str(each) for each in candidates if each and _runs(str(each), minor)][:1]
    return found


def _runs(python: str, minor: str) -> bool:
    """Whether an interpreter is what it is called: a shim of pyenv may lead nowhere."""
    script = "import sqlite3, ssl, sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run(  # noqa: S603  nothing of it comes from outside
        [python, "-c", script], capture_output=True, text=True, check=False
    )
    return done.returncode == 0 and done.stdout.strip() == minor


def build_wheel(folder: Path) -> Path:
    """Build the wheel; returns its file.

    :raises RuntimeError: when that fails.
    """
    command = (sys.executable, "-m", "build", "--wheel", "--installer", "uv", "--outdir", folder, ROOT)
    done = subprocess.run(  # noqa: S603  nothing of it comes from outside
        command, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"The wheel cannot be built:\n{done.stderr[-2000:]}")
    (wheel,) = folder.glob("*.whl")
    return wheel


def make_environment(airflow: str, python: str, wheel: Path, folder: Path) -> Environment:
    """Install the wheel alone.

    :param airflow: one of `RELEASES`.
    :param python: path of an interpreter.
    :param folder: gets the environment.
    :raises NotInstallableError: when that fails.
    """
    pins = (ROOT / _PINS[airflow]).read_text(encoding="utf-8")
    wanted = [str(wheel), _WAREHOUSE]
    if airflow == "next":
        wanted += next_airflow()
        pins = without(pins, next_airflow())
    folder.mkdir(parents=True)
    constraints = folder / "constraints.txt"
    constraints.write_text(pins, encoding="utf-8")
    _uv("venv", "--quiet", "--python", python, str(folder / "venv"))
    environment = Environment(airflow, folder / "venv" / "bin" / "python")
    _uv("pip", "install", "--quiet", "--python", str(environment.python), "-c", str(constraints), *wanted)
    return environment


def next_airflow() -> list[str]:
    """Return what the next Airflow's packages have to be."""
    lines = (ROOT / _NEXT).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def without(pins: str, requirements: list[str]) -> str:
    """Leave pins of the packages out that requirements name."""
    names = {canonicalize_name(Requirement(each).name) for each in requirements}
    kept = [line for line in pins.splitlines() if canonicalize_name(re.split("==", line)[0]) not in names]
    return "\n".join(kept) + "\n"


def _uv(*arguments: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    done = subprocess.run(  # noqa: S603  nothing of it comes from outside
        [str(uv), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotInstallableError(done.stderr[-2000:].strip())
