from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


@pytest.mark.slow
def test_a_task_recognizes_a_frame_and_writes_parquet(
    dags: DagBag,
    draw: Callable[..., Specimen],
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    tmp_path: Path,
) -> None:
    connect_emulator(emulator)
    specimens = [draw(seed=seed) for seed in range(3)]
    for number, specimen in enumerate(specimens):
        (tmp_path / f"{number}.jpg").write_bytes(specimen.image)
    rows = [f"k{number},{tmp_path}/{number}.jpg,北" for number in range(3)]
    (tmp_path / "list.csv").write_text("\n".join(["image_id,image,branch", *rows]), encoding="utf-8")
    params = {"list": f"file://{tmp_path}/list.csv", "result": f"file://{tmp_path}/permits.parquet"}

    done = dags.dags["frame_to_file"].test(logical_date=datetime(2026, 5, 1, tzinfo=UTC), run_conf=params)

    assert done.state == "success"
    permits = pd.read_parquet(tmp_path / "permits.parquet").set_index("image_key")
    assert list(permits["number"]) == [each.fields["Number"] for each in specimens]
    assert list(permits["branch"]) == ["北"] * 3
