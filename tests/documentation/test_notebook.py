"""The example notebook runs from top to bottom."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "permits.ipynb"


@pytest.fixture
def cells() -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_the_notebook_recognizes_a_folder(
    cells: list[dict[str, Any]],
    draw: Callable[..., Specimen],
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect_emulator(emulator)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scans").mkdir()
    for seed in range(3):
        (tmp_path / "scans" / f"{seed}.jpg").write_bytes(draw(seed=seed).image)
    (tmp_path / "scans" / "3.jpg").write_bytes(b"")  # retry: tried again below

    names: dict[str, Any] = {}
    for number, cell in enumerate(cells):
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)

    permits = pd.read_parquet(tmp_path / "permits.parquet").set_index("image_key")
    assert list(permits["status"]) == ["recognized"] * 3 + ["retry"]
    assert list(permits["number"][:3]) == [draw(seed=seed).fields["Number"] for seed in range(3)]
    assert emulator.stats()["calls"] == 3


def test_the_notebook_is_stored_without_outputs(cells: list[dict[str, Any]]) -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)


def test_the_notebook_names_the_extras_of_what_its_cells_use() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    named = set(re.findall(r"pip install airflow_provider_permitocr\[([\w,]+)\]", text)[0].split(","))
    uses_parquet = "to_parquet" in text
    assert ("notebook" in named, "parquet" in named) == (True, uses_parquet)
