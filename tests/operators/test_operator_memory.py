"""What the ledger remembers of images, calls and runs, as the author of a DAG sees it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowException

from airflow_provider_permitocr import CallRetry, Ledger, ResultFile
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.engine.call import retries
from tests.operators.conftest import ImageList

pytestmark = pytest.mark.slow

Rows = Callable[[], dict[tuple[str, str], dict[str, Any]]]
Try = Callable[..., dict[str, Any]]
Execute = Callable[..., dict[str, Any]]

ONE_ATTEMPT = CallRetry(attempts=1)
LONG_KEY = "https://bucket.example/permit.jpg?q-signature=" + "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))


def change(warehouse: sa.Engine, statement: str) -> None:
    with warehouse.begin() as connection:
        connection.execute(sa.text(statement))


def at_once(*runs: Callable[[], object]) -> None:
    """Do all at once, and raise what one of them raises."""
    with ThreadPoolExecutor(len(runs)) as pool:
        for done in [pool.submit(run) for run in runs]:
            done.result()


def test_an_answer_stays_in_force_while_the_image_that_has_changed_cannot_be_read(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Rows,
    warehouse: sa.Engine,
    tmp_path: Path,
) -> None:
    (specimen,) = image_list(1)
    execute("yesterday")
    image = (tmp_path / "0.jpg").rename(tmp_path / "away.jpg")
    change(warehouse, "UPDATE permit_images SET uploaded_at = now() + interval '1 day'")

    execute("tonight")

    row = permits()["k000", "FRONT"]
    assert (row["status"], row["number"], row["run_id"]) == (
        "recognized",
        specimen.fields["Number"],
        "yesterday",
    )
    assert (row["attempt_status"], row["attempt_code"]) == ("retry", "ImageNotFound")
    execute("tonight, cleared")
    assert connected.stats()["calls"] == 1

    image.rename(tmp_path / "0.jpg")
    execute("tomorrow")

    row = permits()["k000", "FRONT"]
    assert (row["status"], row["attempt_status"], row["run_id"]) == ("recognized", "recognized", "tomorrow")
    assert connected.stats()["calls"] == 2


def test_two_first_runs_at_once_pay_for_each_image_once_without_a_ledger_being_named(
    try_task: Try, connected: RunningEmulator, image_list: ImageList, permits: Rows
) -> None:
    image_list(30)

    at_once(lambda: try_task("run-1"), lambda: try_task("run-2"))

    assert len(permits()) == connected.stats()["calls"] == 30
    assert set(connected.stats()["calls_per_image"].values()) == {1}


def test_a_file_and_a_table_of_one_list_at_once_pay_for_each_image_once(
    try_task: Try, connected: RunningEmulator, image_list: ImageList, permits: Rows, tmp_path: Path
) -> None:
    image_list(20, [{"image_id": "gone", "image": "/no/such/share/permit.jpg"}])
    shared = {"list": "permits", "ledger": Ledger("permit_ocr", conn_id="warehouse")}
    file = ResultFile(str(tmp_path / "permits.csv"))

    at_once(lambda: try_task("run-1", **shared), lambda: try_task("run-2", target=file, **shared))

    assert connected.stats()["calls"] == 20
    row = permits()["gone", "FRONT"]
    assert row["status"] == "retry"
    assert row["tries"] <= 2  # runs are counted, and not how often they have looked
    frame = pd.read_csv(tmp_path / "permits.csv")
    assert frame["status"].value_counts().to_dict() == {"recognized": 20, "retry": 1}


def test_a_network_that_is_down_for_all_tries_of_a_run_settles_no_image(
    try_task: Try,
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    image_list: ImageList,
    permits: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retries, "_UNREACHABLE_WAITS", (0.0, 0.0))
    image_list(5)
    connect_emulator(emulator, host="http://127.0.0.1:1")
    for try_number in (1, 2, 3):
        with pytest.raises(AirflowException, match=r"could not be reached.*name server and firewall"):
            try_task("run-1", try_number, call_retry=ONE_ATTEMPT)
    assert permits() == {}

    connect_emulator(emulator)
    try_task("run-2", call_retry=ONE_ATTEMPT)

    assert {(row["status"], row["tries"]) for row in permits().values()} == {("recognized", 1)}


def test_tries_of_one_run_that_reach_the_api_count_as_one(
    try_task: Try,
    start_label_emulator: Callable[..., RunningEmulator],
    connect_emulator: Callable[..., None],
    image_list: ImageList,
    permits: Rows,
    tmp_path: Path,
) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text('{"rules": [{"match": {"calls": ["1-99"]}, "effect": {"error": "InternalError"}}]}')
    connect_emulator(start_label_emulator(faults=faults))
    image_list(1)

    for run_id, try_number, expected in [
        ("run-1", 1, ("retry", 1)),
        ("run-1", 2, ("retry", 1)),
        ("run-1", 3, ("retry", 1)),
        ("run-2", 1, ("retry", 2)),
        ("run-3", 1, ("failed", 3)),
    ]:
        try_task(run_id, try_number, call_retry=ONE_ATTEMPT)
        row = permits()["k000", "FRONT"]
        assert (row["status"], row["tries"]) == expected


@pytest.mark.parametrize(
    "obstacle",
    [
        "ALTER TABLE permit_ocr_calls ADD CONSTRAINT obstacle CHECK (false) NOT VALID",
        "ALTER TABLE permit_ocr_images ADD CONSTRAINT obstacle CHECK (false) NOT VALID",
        "ALTER TABLE permit_ocr_counters ADD CONSTRAINT obstacle CHECK (calls < 2) NOT VALID",
    ],
    ids=["calls", "images", "counters"],
)
def test_a_ledger_that_refuses_every_row_fails_the_task_and_settles_no_image(
    try_task: Try,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Rows,
    standings: Rows,
    warehouse: sa.Engine,
    obstacle: str,
) -> None:
    image_list(1)
    try_task("run-0")
    image_list(40, [])
    change(warehouse, "DELETE FROM permit_images WHERE ctid IN (SELECT min(ctid) FROM permit_images)")
    change(warehouse, obstacle)

    with pytest.raises(AirflowException, match="trigger or constraint"):
        try_task("run-1")

    assert connected.stats()["calls"] <= 2
    table = obstacle.split()[2]
    change(warehouse, f"ALTER TABLE {table} DROP CONSTRAINT obstacle")
    assert set(standings()) <= {("k000", "FRONT"), ("k001", "FRONT")}
    try_task("run-2")
    assert [row["status"] for row in permits().values()] == ["recognized"] * 40
    assert set(connected.stats()["calls_per_image"].values()) == {1}


def test_answers_that_the_ledger_refuses_are_paid_for_once_and_taken_when_it_does_no_more(
    try_task: Try,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Rows,
    warehouse: sa.Engine,
    tmp_path: Path,
) -> None:
    image_list(1)
    try_task("run-0")
    image_list(8, [])
    change(warehouse, "DELETE FROM permit_images WHERE ctid IN (SELECT min(ctid) FROM permit_images)")
    obstacle = "ALTER TABLE permit_ocr_answers ADD CONSTRAINT obstacle CHECK (length(answer) < 10) NOT VALID"
    change(warehouse, obstacle)
    journal = str(tmp_path / "journal")

    try_task("run-1", journal=journal)
    assert try_task("run-2", journal=journal)["calls"] == 0
    change(warehouse, "ALTER TABLE permit_ocr_answers DROP CONSTRAINT obstacle")
    try_task("run-3", journal=journal)

    assert [row["status"] for row in permits().values() if row["number"]] == ["recognized"] * 8
    assert set(connected.stats()["calls_per_image"].values()) == {1}


def test_a_key_that_no_index_holds_is_rejected_before_the_call_and_nowhere_quoted(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    permits: Rows,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    image_list(3, [{"image_id": LONG_KEY, "image": str(tmp_path / "0.jpg")}])

    summaries = [execute(run_id) for run_id in ("run-1", "run-2")]

    assert [each["error_codes"] for each in summaries] == [{"LedgerRefusesKey": 1}] * 2
    assert len(permits()) == connected.stats()["calls"] == 3
    # Airflow prints a task's own log, past caplog.
    assert "q-signature" not in caplog.text + "".join(capfd.readouterr())
