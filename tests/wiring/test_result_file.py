from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_permitocr.engine.delivery.frame import to_frame
from airflow_provider_permitocr.options.targets.result_file import ResultFile
from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.wiring.result_file import open_due_file, open_result_file


@pytest.mark.parametrize(
    ("described", "written"),
    [
        (ResultFile, b"'=1+1"),
        (lambda path: ResultFile(path, escape_formulas=False, byte_order_mark=True), b"=1+1"),
    ],
    ids=["for people", "for programs"],
)
def test_a_file_that_a_later_run_writes_is_what_its_own_run_would_have_written(
    tmp_path: Path, described: Callable[[str], ResultFile], written: bytes
) -> None:
    file = tmp_path / "permits.csv"
    frame = to_frame([{"image_key": "a", "card_side": "FRONT", "status": "recognized", "name": "=1+1"}])
    own = open_result_file(described(str(file)))
    own.write(COLUMNS, [frame])
    by_its_own_run = file.read_bytes()
    file.unlink()

    open_due_file(own.due).write(COLUMNS, [frame])

    assert file.read_bytes() == by_its_own_run
    assert written in by_its_own_run.split(b",")
