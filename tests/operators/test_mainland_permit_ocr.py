from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_permitocr.core.errors import PermitOcrError
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.operators.mainland_permit_ocr import (
    Batch,
    CallRetry,
    ImageQuery,
    ImageTable,
    MainlandPermitOcrOperator,
    ResultTable,
)

ImageList = Callable[..., list[Specimen]]
Permits = Callable[[], dict[tuple[str, str], dict[str, Any]]]

SOURCE = ImageTable(
    "permit_images",
    conn_id="warehouse",
    key="image_id",
    image="image",
    card_side="card_side",
    updated_at="uploaded_at",
)
TARGET = ResultTable("permits", conn_id="warehouse")


def operator(**arguments: Any) -> MainlandPermitOcrOperator:
    defaults: dict[str, Any] = {"task_id": "recognize", "source": SOURCE, "target": TARGET, "pool_slots": 20}
    return MainlandPermitOcrOperator(**(defaults | {"max_per_second": 200} | arguments))


def execute(**arguments: Any) -> dict[str, Any]:
    return operator(**arguments).execute({"run_id": "run-1"})


@pytest.fixture
def connected(emulator: RunningEmulator, connect_emulator: Callable[..., None]) -> RunningEmulator:
    connect_emulator(emulator)
    return emulator


def faulty(tmp_path: Path, *rules: dict[str, Any]) -> Path:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps({"rules": list(rules)}))
    return file


def test_every_listed_image_ends_as_one_row_with_its_fields(
    connected: RunningEmulator, image_list: ImageList, permits: Permits, back: Specimen, tmp_path: Path
) -> None:
    (tmp_path / "back.jpg").write_bytes(back.image)
    further = [
        {"image_id": "k000", "image": str(tmp_path / "back.jpg"), "card_side": "BACK"},
        {"image_id": "gone", "image": "/no/such/file.png"},
        {"image_id": "gif", "image": "data:image/gif;base64,R0lGODlhAQABAAAAACw="},
    ]
    specimens = image_list(3, further)

    summary = execute()

    rows = permits()
    assert len(rows) == 6
    for number, specimen in enumerate(specimens):
        row = rows[f"k{number:03}", "FRONT"]
        assert (row["status"], row["run_id"], row["tries"]) == ("recognized", "run-1", 1)
        assert row["name"] == specimen.fields["Name"]
        assert row["number"] == specimen.fields["Number"]
        assert row["birthday"].strftime("%Y.%m.%d") == specimen.fields["Birthday"]
    assert rows["k000", "BACK"]["back_id_number"] == back.fields["MainlandTravelPermitBackInfos"]["IDNumber"]
    assert (rows["gone", "FRONT"]["status"], rows["gone", "FRONT"]["error_code"]) == (
        "retry",
        "ImageNotFound",
    )
    assert rows["gif", "FRONT"]["status"] == "rejected"
    assert "GIF" in rows["gif", "FRONT"]["error_message"]
    assert summary["statuses"] == {"recognized": 4, "retry": 1, "rejected": 1}
    assert summary["error_codes"] == {"ImageNotFound": 1, "ImageFormatUnsupported": 1}
    assert summary["calls"] == connected.stats()["calls"] == 4


def test_a_second_run_calls_for_nothing_but_what_changed(
    connected: RunningEmulator, image_list: ImageList, permits: Permits, warehouse: sa.Engine
) -> None:
    image_list(3)
    execute()
    with warehouse.begin() as connection:
        connection.execute(
            sa.text("UPDATE permit_images SET uploaded_at = now() + interval '1 day' WHERE image_id = 'k001'")
        )

    summary = execute()

    assert (summary["skipped"], summary["calls"]) == (2, 1)
    assert connected.stats()["calls"] == 4
    assert len(permits()) == 3


def test_a_select_with_bound_parameters_is_read(
    connected: RunningEmulator, image_list: ImageList, permits: Permits
) -> None:
    image_list(3)
    source = ImageQuery(
        "SELECT image_id, image FROM permit_images WHERE image_id <> :without AND uploaded_at < :before",
        conn_id="warehouse",
        key="image_id",
        image="image",
        parameters={"without": "k001", "before": "2027-01-01T00:00:00+00:00"},
    )

    execute(source=source)

    assert set(permits()) == {("k000", "FRONT"), ("k002", "FRONT")}


def test_source_and_target_may_be_different_databases(
    connected: RunningEmulator,
    image_list: ImageList,
    set_connection: Callable[..., None],
    tmp_path: Path,
    new_engine: Callable[..., sa.Engine],
) -> None:
    image_list(2)
    set_connection("lake", conn_type="sqlite", host=str(tmp_path / "lake.db"))

    execute(target=ResultTable("permits", conn_id="lake"))
    summary = execute(target=ResultTable("permits", conn_id="lake"))

    with new_engine(f"sqlite:///{tmp_path / 'lake.db'}").connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM permits")).scalar_one() == 2
    assert (summary["skipped"], summary["calls"]) == (2, 0)


def test_an_empty_list_is_no_error_and_makes_the_table(
    connected: RunningEmulator, image_list: ImageList, permits: Permits
) -> None:
    image_list(1)

    summary = execute(
        source=ImageQuery(
            "SELECT image_id, image FROM permit_images WHERE false",
            conn_id="warehouse",
            key="image_id",
            image="image",
        )
    )

    assert summary["listed"] == summary["calls"] == 0
    assert permits() == {}


def test_the_portrait_is_kept_only_where_it_was_asked_for(
    connected: RunningEmulator, image_list: ImageList, permits: Permits
) -> None:
    image_list(1)

    execute()
    assert permits()["k000", "FRONT"]["profile"] is None
    execute(ret_profile=True, target=ResultTable("permits_with_portrait", conn_id="warehouse"))

    assert connected.stats()["calls"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": ImageTable("permit_image", conn_id="warehouse", key="a", image="b")}, "'permit_images'"),
        (
            {"source": ImageTable("permit_images", conn_id="warehouse", key="id", image="image")},
            "column 'id'",
        ),
        ({"source": ImageTable("permit_images", conn_id="nowhere", key="a", image="b")}, "'nowhere'"),
        ({"target": ResultTable("permits", conn_id="tencentcloud_default")}, "no SQL database"),
        ({"target": ResultTable("permit_images", conn_id="warehouse")}, "exists already"),
        ({"target": ResultTable("missing.permits", conn_id="warehouse")}, "schema"),
        ({"tencentcloud_conn_id": "nobody"}, "'nobody'"),
        ({"tencentcloud_conn_id": "warehouse"}, "'warehouse'"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
def test_what_is_wrong_is_named_before_the_first_call_and_not_retried(
    connected: RunningEmulator, image_list: ImageList, arguments: dict[str, Any], message: str
) -> None:
    image_list(1)

    with pytest.raises(AirflowFailException, match=message):
        execute(**arguments)

    assert connected.stats()["calls"] == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"image_id": "k000", "image": "x"}], "twice or more"),
        ([{"image_id": None, "image": "x"}], "NULL in the key column"),
        ([{"image_id": "k9", "image": "x", "card_side": "SIDEWAYS"}], "card side column"),
    ],
)
def test_a_list_that_cannot_be_keyed_is_refused_before_the_first_call(
    connected: RunningEmulator, image_list: ImageList, rows: list[dict[str, Any]], message: str
) -> None:
    image_list(1, rows)

    with pytest.raises(AirflowFailException, match=message):
        execute()

    assert connected.stats()["calls"] == 0


def test_an_account_fault_stops_the_run_and_fails_no_image(
    start_label_emulator: Callable[..., RunningEmulator],
    connect_emulator: Callable[..., None],
    image_list: ImageList,
    permits: Permits,
    tmp_path: Path,
) -> None:
    fault = {"match": {"calls": ["5-99"]}, "effect": {"error": "FailedOperation.ArrearsError"}}
    emulator = start_label_emulator(faults=faulty(tmp_path, fault))
    connect_emulator(emulator)
    image_list(12)

    with pytest.raises(AirflowFailException, match=r"ArrearsError.*correct the account"):
        execute(max_at_once=2)

    assert {row["status"] for row in permits().values()} == {"recognized"}
    assert len(permits()) == 4
    assert emulator.stats()["calls"] <= 4 + 2


def test_a_passing_fault_is_left_for_the_next_run(
    start_label_emulator: Callable[..., RunningEmulator],
    connect_emulator: Callable[..., None],
    image_list: ImageList,
    permits: Permits,
    tmp_path: Path,
) -> None:
    fault = {"match": {"calls": ["1-2"]}, "effect": {"error": "InternalError"}}
    connect_emulator(start_label_emulator(faults=faulty(tmp_path, fault)))
    image_list(1)
    patience = CallRetry(attempts=2, base_seconds=0.01)

    execute(call_retry=patience)
    assert permits()["k000", "FRONT"]["status"] == "retry"
    execute(call_retry=patience)

    row = permits()["k000", "FRONT"]
    assert (row["status"], row["tries"], row["error_code"]) == ("recognized", 2, None)


def test_a_killed_task_writes_what_was_answered_and_leaves_the_rest(
    start_label_emulator: Callable[..., RunningEmulator],
    connect_emulator: Callable[..., None],
    image_list: ImageList,
    permits: Permits,
) -> None:
    emulator = start_label_emulator()
    connect_emulator(emulator)
    image_list(40)
    task = operator(max_per_second=50, max_at_once=1)

    def kill_midway() -> None:
        _when(lambda: emulator.stats()["calls"] >= 3)
        task.on_kill()

    killer = threading.Thread(target=kill_midway)
    killer.start()

    with pytest.raises(AirflowException, match="asked to stop"):
        task.execute({"run_id": "run-1"})
    killer.join()

    assert 3 <= len(permits()) == emulator.stats()["calls"] < 40


def _when(condition: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(2000):
        if condition():
            return
        waiting.wait(0.005)
    raise AssertionError("it never came true")


def test_a_database_that_cannot_be_reached_may_be_retried(
    connected: RunningEmulator, set_connection: Callable[..., None]
) -> None:
    set_connection(
        "warehouse", conn_type="postgres", host="127.0.0.1", port=1, login="a", password="secret-word"
    )

    with pytest.raises(AirflowException, match="reading the image list failed") as raised:
        execute()

    assert not isinstance(raised.value, AirflowFailException)
    assert "secret-word" not in str(raised.value)


def test_no_value_of_a_document_reaches_log_summary_or_error_even_at_debug(
    connected: RunningEmulator, image_list: ImageList, caplog: pytest.LogCaptureFixture
) -> None:
    specimens = image_list(3)
    caplog.set_level(logging.DEBUG)

    summary = execute(batch=Batch(rows=1))

    said = caplog.text + json.dumps(summary)
    for specimen in specimens:
        for name in ("Name", "EnglishName", "Number"):
            assert specimen.fields[name] not in said
    assert "emulator-secret-key" not in said


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"source": "permit_images"}, TypeError, "source must be ImageTable or ImageQuery"),
        ({"target": "permits"}, TypeError, "target must be ResultTable"),
        ({"max_per_second": 0}, ValueError, "max_per_second"),
        ({"max_per_second": -1}, ValueError, "max_per_second"),
        ({"max_at_once": 0}, ValueError, "max_at_once"),
        ({"max_tries": 0}, ValueError, "max_tries"),
    ],
)
def test_a_wrong_argument_fails_when_the_dag_is_parsed(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        operator(**arguments)


def test_templates_are_rendered_into_copies() -> None:
    source = ImageTable(
        "{{ params.table }}",
        conn_id="{{ params.conn }}",
        key="k",
        image="i",
        updated_at="at",
        since="{{ params.since }}",
    )
    query = ImageQuery(
        "SELECT 1 FROM {{ params.table }}",
        conn_id="w",
        key="k",
        image="i",
        parameters={"day": "{{ params.since }}"},
    )
    params = {"table": "images", "conn": "lake", "since": "2026-01-01"}
    task = operator(source=source)

    task.render_template_fields({"params": params})
    rendered_query = task.render_template(query, {"params": params})

    assert (task.source.table, task.source.conn_id, task.source.since) == ("images", "lake", "2026-01-01")  # type: ignore[union-attr]
    assert source.table == "{{ params.table }}"
    assert (rendered_query.sql, rendered_query.parameters) == ("SELECT 1 FROM images", {"day": "2026-01-01"})


def test_errors_of_this_package_are_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise PermitOcrError("something of ours")

    task = operator()
    monkeypatch.setattr(task, "_run", fail)

    with pytest.raises(AirflowException, match="something of ours"):
        task.execute({"run_id": "r"})
