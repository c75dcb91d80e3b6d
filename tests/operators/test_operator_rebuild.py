"""Targets are filled anew from what the ledger has kept, without a call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_permitocr import ResultFile, ResultTable
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.permit import answers

pytestmark = pytest.mark.slow

ImageList = Callable[..., list[Specimen]]
Execute = Callable[..., dict[str, Any]]
Permits = Callable[[], dict[tuple[str, str], dict[str, Any]]]

TABLE = ResultTable("permits", conn_id="warehouse")


def change(engine: sa.Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(statement))


def test_a_field_that_a_newer_version_reads_otherwise_is_read_from_the_kept_answers(
    execute: Execute,
    image_list: ImageList,
    connected: RunningEmulator,
    permits: Permits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image_list(3)
    with monkeypatch.context() as older:
        older.setattr(answers, "parse_date", lambda text: None)
        execute()
    assert {row["birthday"] for row in permits().values()} == {None}
    assert execute("run-2", rebuild="True")["calls"] == 0
    assert None not in {row["birthday"] for row in permits().values()}
    assert connected.stats()["calls"] == 3


def test_rows_and_files_are_written_again(
    execute: Execute, image_list: ImageList, connected: RunningEmulator, warehouse: sa.Engine, tmp_path: Path
) -> None:
    image_list(3)
    file = tmp_path / "permits.csv"
    arguments: dict[str, Any] = {"target": [TABLE, ResultFile(str(file))], "list": "permits"}
    execute(**arguments)
    change(warehouse, "DELETE FROM permits WHERE image_key <> 'k000'")
    file.unlink()
    done = execute("run-2", rebuild=True, **arguments)
    assert (done["written"], done["calls"], done["files"] > 0) == (3, 0, True)
    assert len(pd.read_csv(file)) == 3


def test_what_cannot_be_read_anew_is_named(
    execute: Execute,
    image_list: ImageList,
    connected: RunningEmulator,
    warehouse: sa.Engine,
    permits: Permits,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    image_list(2)
    execute()
    number = permits()["k000", "FRONT"]["number"]
    change(
        warehouse,
        "DELETE FROM permit_ocr_answers WHERE call_id ="
        " (SELECT answer_id FROM permit_ocr_images WHERE image_key = 'k000')",
    )
    done = execute("run-2", rebuild=True)
    said = caplog.text + "".join(capfd.readouterr())
    assert done["erased"] == 1
    assert "for 1 image the answer was erased" in said
    assert "birthday" in said
    assert permits()["k000", "FRONT"]["number"] == number


def test_a_rebuild_of_what_was_never_kept_is_refused(
    execute: Execute, image_list: ImageList, connected: RunningEmulator
) -> None:
    image_list(1)
    with pytest.raises(
        AirflowFailException, match=r"has no answers for it.*A run recognizes.*permitocr adopt"
    ):
        execute(rebuild=True)
    assert connected.stats()["calls"] == 0


def test_a_rebuild_leaves_nothing_for_the_next_run_to_take_up(
    execute: Execute, image_list: ImageList, connected: RunningEmulator
) -> None:
    image_list(1)
    execute()
    execute("run-2", rebuild=True)
    assert execute("run-3")["taken_up"] == 0
