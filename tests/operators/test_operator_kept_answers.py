"""Runs whose ledger lets answers go once they are delivered: what tables and files then keep."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowException

from airflow_provider_permitocr import ImageTable, Ledger, Redo, ResultFile, ResultTable
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen

ImageList = Callable[..., list[Specimen]]
Execute = Callable[..., dict[str, Any]]
Rows = Callable[[], dict[tuple[str, str], dict[str, Any]]]

LEDGER = Ledger("permit_ocr", conn_id="warehouse", keep_answers="delivered")
DAY = ImageTable(
    "permit_images",
    conn_id="warehouse",
    key="image_id",
    image="image",
    updated_at="uploaded_at",
    since="2026-05-01",
    until="2026-05-02",
)


def answers(warehouse: sa.Engine) -> int:
    with warehouse.connect() as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM permit_ocr_answers")).scalar_one())


@pytest.mark.whole_runs
def test_a_table_keeps_what_it_has_whatever_is_tried_later(
    image_list: ImageList,
    execute: Execute,
    permits: Rows,
    warehouse: sa.Engine,
    tmp_path: Path,
    connected: RunningEmulator,
) -> None:
    people = image_list(2)
    history = ResultTable("recognitions", conn_id="warehouse", mode="append")
    both = {"target": [ResultTable("permits", conn_id="warehouse"), history], "list": "permits"}
    execute(ledger=LEDGER, **both)
    assert answers(warehouse) == 0
    before = {key: row["number"] for key, row in permits().items()}
    assert sorted(before.values()) == sorted(each.fields["Number"] for each in people)
    (tmp_path / "0.jpg").unlink()
    assert execute("run-2", ledger=LEDGER, redo=Redo(keys=["k000"]), **both)["calls"] == 0
    assert execute("run-3", ledger=LEDGER, rebuild=True, **both)["erased"] == 2
    assert {key: row["number"] for key, row in permits().items()} == before
    assert permits()["k000", "FRONT"]["attempt_status"] == "redo"
    assert execute("run-4", ledger=LEDGER, **both)["calls"] == 0
    assert {key: row["number"] for key, row in permits().items()} == before
    with warehouse.connect() as connection:
        numbers = connection.execute(sa.text("SELECT number FROM recognitions ORDER BY 1")).scalars().all()
    assert sorted(numbers) == sorted(before.values())


@pytest.mark.whole_runs
def test_an_identical_image_is_called_for_again(
    image_list: ImageList, execute: Execute, warehouse: sa.Engine, tmp_path: Path, connected: RunningEmulator
) -> None:
    image_list(1)
    execute(ledger=LEDGER, reuse_identical=True)
    image_list(0, [{"image_id": "same", "image": str(tmp_path / "0.jpg")}])
    assert execute("run-2", ledger=LEDGER, reuse_identical=True)["calls"] == 1


def test_a_file_is_written_before_they_go_and_never_again_without_them(
    image_list: ImageList, execute: Execute, warehouse: sa.Engine, tmp_path: Path, connected: RunningEmulator
) -> None:
    people = image_list(2)
    file = tmp_path / "day.csv"
    targets = [ResultTable("permits", conn_id="warehouse"), ResultFile(str(file))]
    execute(source=DAY, target=targets, list="permits", ledger=LEDGER)
    assert answers(warehouse) == 0
    written = file.read_text(encoding="utf-8")
    assert all(each.fields["Number"] in written for each in people)
    with pytest.raises(AirflowException, match="the answers of 2 of its images are gone"):
        execute(source=DAY, target=targets, list="permits", ledger=LEDGER)
    with pytest.raises(AirflowException, match="the answers of 2 of its images are gone"):
        execute("run-2", source=DAY, target=targets, list="permits", ledger=LEDGER, rebuild=True)
    assert file.read_text(encoding="utf-8") == written


def test_a_list_without_a_window_needs_the_answers_for_each_file(operator: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="holds all of its images, so their answers are needed"):
        operator(target=ResultFile("/exports/all.csv"), list="permits", ledger=LEDGER)


@pytest.mark.parametrize("wrong", ["forever", 0, -1, True, 1.5, 36_501, 10**12])
def test_anything_but_delivered_or_days_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="keep_answers must be 'delivered' or a number of days"):
        Ledger(conn_id="warehouse", keep_answers=wrong)
