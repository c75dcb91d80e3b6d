from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

_ROOT = Path(__file__).parents[2]


#: What goes into an environment of its own, whose other packages do not fit into the one for all else.
_APART = "snowflake"


def requirements() -> list[Requirement]:
    setup = ConfigParser()
    setup.read(_ROOT / "setup.cfg", encoding="utf-8")
    extras = setup["options.extras_require"]
    listed = [setup["options"]["install_requires"], *(extras[name] for name in extras if name != _APART)]
    return [Requirement(line) for lines in listed for line in lines.split("\n") if line]


def requirements_apart() -> list[Requirement]:
    setup = ConfigParser()
    setup.read(_ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["options"]["install_requires"] + setup["options.extras_require"][_APART]
    return [Requirement(line) for line in lines.split("\n") if line]


def pins(file: str) -> dict[str, list[Version]]:
    """By name; a package may be pinned to one version for some Pythons and to another for the others."""
    found: dict[str, list[Version]] = {}
    for line in (_ROOT / file).read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition(";")[0].strip().partition("==")
        found.setdefault(canonicalize_name(name), []).append(Version(version))
    return found


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_requirement_has_one_floor_which_test_floors_installs(requirement: Requirement) -> None:
    (floor,) = (each for each in requirement.specifier if each.operator == ">=")
    assert pins("constraints-floors.txt")[canonicalize_name(requirement.name)] == [Version(floor.version)]


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_requirement_allows_what_is_pinned_for_development(requirement: Requirement) -> None:
    pinned = pins("constraints.txt")[canonicalize_name(requirement.name)]
    assert all(requirement.specifier.contains(version) for version in pinned)


@pytest.mark.parametrize("requirement", requirements_apart(), ids=str)
def test_requirement_allows_what_is_pinned_for_snowflake(requirement: Requirement) -> None:
    pinned = pins("constraints-snowflake.txt")[canonicalize_name(requirement.name)]
    assert all(requirement.specifier.contains(version) for version in pinned)
