"""Projects of dbt that have the package beside their own models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from labs.ground.analytics_project import DbtProject


@pytest.fixture
def new_project(tmp_path: Path) -> Callable[[Mapping[str, Any]], DbtProject]:
    """Make a project for a connection of dbt."""
    return lambda output: DbtProject(tmp_path / "analysts", output)
