from __future__ import annotations

import errno
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_permitocr import (
    Batch,
    Budget,
    ImageQuery,
    Ledger,
    MainlandPermitOcrOperator,
    ResultFile,
    ResultTable,
    shards,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.files.local_store import LocalStore
from airflow_provider_permitocr.options.lists.shard import Shard

ImageList = Callable[..., list[Specimen]]
NewOperator = Callable[..., MainlandPermitOcrOperator]
Execute = Callable[..., dict[str, Any]]

LEDGER = Ledger("permit_ocr", conn_id="warehouse")


TABLE = ResultTable("permits", conn_id="warehouse")


def target_of(as_what: str, file: ResultFile) -> dict[str, Any]:
    """A file alone, or beside a table."""
    if as_what == "alone":
        return {"target": file, "ledger": LEDGER}
    return {"target": [TABLE, file], "ledger": LEDGER, "list": "permits"}


def images_where(condition: str) -> ImageQuery:
    return ImageQuery(
        f"SELECT image_id, image FROM permit_images WHERE {condition}",
        conn_id="warehouse",
        key="image_id",
        image="image",
    )


@pytest.fixture
def execute_as(operator: NewOperator) -> Execute:
    """Make an operator and execute it as a run of its own, by its id."""

    def run(run_id: str, **arguments: Any) -> dict[str, Any]:
        return operator(**arguments).execute({"run_id": run_id})

    return run


@pytest.fixture
def change_image(warehouse: sa.Engine) -> Callable[[str, str], None]:
    """Give an image of the list another reference, a day later."""

    def change(key: str, image: str) -> None:
        with warehouse.begin() as connection:
            connection.execute(
                sa.text(
                    "UPDATE permit_images SET image = :image, uploaded_at = uploaded_at + interval '1 day'"
                    " WHERE image_id = :key"
                ),
                {"key": key, "image": image},
            )

    return change


@pytest.mark.slow
def test_a_file_takes_the_place_of_the_table(
    execute_as: Execute,
    image_list: ImageList,
    connected: RunningEmulator,
    tmp_path: Path,
    warehouse: sa.Engine,
) -> None:
    specimens = image_list(3, [{"image_id": "gone", "image": "/no/such/file.png"}])
    arguments = {"target": ResultFile(f"{tmp_path}/permits.parquet"), "ledger": LEDGER}

    first, again = execute_as("run-1", **arguments), execute_as("run-2", **arguments)

    read = pd.read_parquet(tmp_path / "permits.parquet").set_index("image_key")
    assert list(read.index) == ["gone", "k000", "k001", "k002"]
    for number, specimen in enumerate(specimens):
        assert read["number"][f"k{number:03}"] == specimen.fields["Number"]
    assert read["status"]["gone"] == "retry"
    assert (first["calls"], again["calls"], again["skipped"]) == (3, 0, 3)
    assert stat.S_IMODE((tmp_path / "permits.parquet").stat().st_mode) == 0o600
    assert {each.name for each in tmp_path.iterdir()} == {"permits.parquet", *(f"{n}.jpg" for n in range(3))}
    tables = sa.inspect(warehouse).get_table_names()
    assert {each for each in tables if not each.startswith("permit_ocr_")} == {"permit_images"}


@pytest.mark.slow
def test_a_file_that_somebody_removed_is_written_again_without_a_call(
    execute_as: Execute, image_list: ImageList, connected: RunningEmulator, tmp_path: Path
) -> None:
    image_list(3)
    file = tmp_path / "permits.csv"
    arguments = {"target": ResultFile(str(file)), "ledger": LEDGER}
    execute_as("run-1", **arguments)
    before = file.read_bytes()
    file.unlink()

    again = execute_as("run-2", **arguments)

    assert again["calls"] == 0
    assert file.read_bytes() == before


@pytest.mark.slow
def test_an_answer_stays_in_the_file_when_its_changed_image_is_not_there(
    execute_as: Execute,
    image_list: ImageList,
    change_image: Callable[[str, str], None],
    connected: RunningEmulator,
    tmp_path: Path,
) -> None:
    (specimen,) = image_list(1)
    arguments = {"target": ResultFile(f"{tmp_path}/permits.csv"), "ledger": LEDGER}
    execute_as("run-1", **arguments)
    change_image("k000", "/no/such/file.png")

    execute_as("run-2", **arguments)

    (row,) = pd.read_csv(tmp_path / "permits.csv", dtype=str).to_dict("records")
    assert (row["status"], row["number"]) == ("recognized", specimen.fields["Number"])
    assert row["attempt_status"] == "retry"


@pytest.mark.slow
def test_a_run_that_is_stopped_writes_no_file_and_the_next_one_writes_the_whole(
    operator: NewOperator,
    execute_as: Execute,
    image_list: ImageList,
    connected: RunningEmulator,
    tmp_path: Path,
) -> None:
    image_list(6)
    target = ResultFile(f"{tmp_path}/permits.csv")
    task = operator(target=target, ledger=LEDGER, max_per_second=5)

    def stop_after_two() -> None:
        while connected.stats()["calls"] < 2:
            time.sleep(0.01)
        task.on_kill()

    stopper = threading.Thread(target=stop_after_two)
    stopper.start()
    with pytest.raises(AirflowException, match="stop"):
        task.execute({"run_id": "run-1"})
    stopper.join()
    assert not (tmp_path / "permits.csv").exists()

    execute_as("run-2", target=target, ledger=LEDGER)

    assert connected.stats()["calls"] == 6
    assert len(pd.read_csv(tmp_path / "permits.csv", dtype=str)) == 6


@pytest.mark.slow
@pytest.mark.parametrize("as_what", ["alone", "beside a table"])
def test_a_run_that_a_cap_ends_leaves_the_file_as_it_was(
    execute_as: Execute, image_list: ImageList, connected: RunningEmulator, tmp_path: Path, as_what: str
) -> None:
    image_list(5)
    file = tmp_path / "permits.csv"
    file.write_text("the file of yesterday")
    arguments = target_of(as_what, ResultFile(str(file)))

    capped = execute_as("run-1", **arguments, budget=Budget(max_calls=2))
    meanwhile = file.read_text()
    execute_as("run-2", **arguments)

    assert (capped["calls"], meanwhile) == (2, "the file of yesterday")
    assert list(pd.read_csv(file)["image_key"]) == [f"k{number:03}" for number in range(5)]
    assert connected.stats()["calls"] == 5


@pytest.mark.slow
def test_beside_a_table_the_file_gets_all_rows_of_the_list_in_its_order(
    execute: Execute, image_list: ImageList, connected: RunningEmulator, tmp_path: Path
) -> None:
    specimens = image_list(4, [{"image_id": "gif", "image": "data:image/gif;base64,R0lGODlhAQABAAAAACw="}])
    file = ResultFile(f"{tmp_path}/permits.parquet")
    execute(list="permits")  # which settles all of them

    summary = execute(target=[TABLE, file], list="permits")

    read = pd.read_parquet(tmp_path / "permits.parquet")
    assert summary["calls"] == 0
    assert list(read["image_key"]) == ["gif", "k000", "k001", "k002", "k003"]
    assert list(read["number"])[1:] == [each.fields["Number"] for each in specimens]
    assert str(read["birthday"][1]) == specimens[0].fields["Birthday"].replace(".", "-")


@pytest.mark.slow
def test_a_file_holds_the_rows_of_its_run_alone(
    execute: Execute, image_list: ImageList, connected: RunningEmulator, tmp_path: Path
) -> None:
    image_list(4)
    execute(source=images_where("true"), list="permits")
    target = [TABLE, ResultFile(f"{tmp_path}/permits.csv")]

    execute(source=images_where("image_id > 'k001'"), target=target, list="permits")
    of_some = list(pd.read_csv(tmp_path / "permits.csv")["image_key"])
    execute(source=images_where("false"), target=target, list="permits")

    assert of_some == ["k002", "k003"]
    assert len(pd.read_csv(tmp_path / "permits.csv")) == 0


@pytest.mark.slow
def test_a_file_beside_a_table_in_another_database(
    execute: Execute,
    image_list: ImageList,
    connected: RunningEmulator,
    set_connection: Callable[..., None],
    tmp_path: Path,
) -> None:
    image_list(2)
    set_connection("lake", conn_type="sqlite", host=str(tmp_path / "lake.db"))
    file = ResultFile(f"{tmp_path}/permits.csv.gz")
    execute(target=[ResultTable("permits", conn_id="lake"), file], list="permits")
    assert list(pd.read_csv(tmp_path / "permits.csv.gz")["image_key"]) == ["k000", "k001"]


@pytest.mark.slow
@pytest.mark.parametrize("as_what", ["alone", "beside a table"])
def test_each_shard_writes_a_file_of_its_own(
    execute: Execute, image_list: ImageList, connected: RunningEmulator, tmp_path: Path, as_what: str
) -> None:
    image_list(9)
    file = ResultFile(f"{tmp_path}/permits-{{shard}}.csv")

    for shard in shards(2):
        execute(shard=shard, **target_of(as_what, file))

    for number in (1, 2):
        keys = list(pd.read_csv(tmp_path / f"permits-{number}-of-2.csv")["image_key"])
        assert keys == [f"k{key:03}" for key in range(9) if Shard(number, 2).holds(f"k{key:03}")]


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"target": ResultFile("/d/a.csv")}, ValueError, "ledger="),
        (
            {"target": ResultFile("/d/a.csv"), "ledger": LEDGER, "shard": "1/2"},
            ValueError,
            "put {shard} into the path",
        ),
        (
            {"target": ResultFile("/d/{shard}.csv"), "ledger": LEDGER},
            ValueError,
            "the task has no shard",
        ),
        ({"target": [TABLE, ResultFile("/d/a.csv")]}, ValueError, "list='permits'"),
        (
            {
                "target": [TABLE, ResultTable("permits", conn_id="warehouse", mode="append")],
                "list": "permits",
            },
            ValueError,
            "'permits' is named twice",
        ),
        (
            {"target": [ResultFile("/d/a.csv"), ResultFile("/d/a.csv", parts=True)], "list": "permits"},
            ValueError,
            "'/d/a.csv' is named twice",
        ),
        (
            {"target": [TABLE, ResultTable("other.permits", conn_id="warehouse")], "list": "permits"},
            ValueError,
            "in more than one schema",
        ),
        ({"target": [TABLE, "/d/a.csv"], "list": "permits"}, TypeError, "ResultFile, not str"),
        ({"target": []}, TypeError, "target must be ResultTable or ResultFile"),
    ],
)
def test_what_cannot_work_is_refused_when_the_dag_is_parsed(
    operator: NewOperator, arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as caught:
        operator(**arguments)
    assert says in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("as_what", ["alone", "beside a table"])
def test_a_place_that_is_not_there_fails_the_task_before_the_first_call(
    execute: Execute, image_list: ImageList, connected: RunningEmulator, tmp_path: Path, as_what: str
) -> None:
    image_list(1)
    with pytest.raises(AirflowFailException, match="No such file or directory"):
        execute(**target_of(as_what, ResultFile(f"{tmp_path}/nowhere/a.csv")))
    assert connected.stats()["calls"] == 0


def test_a_path_is_rendered_into_a_copy(operator: NewOperator) -> None:
    target = ResultFile("s3://bucket/{{ params.day }}.parquet", conn_id="{{ params.conn }}")
    task = operator(target=target, ledger=LEDGER)
    task.render_template_fields({"params": {"day": "2026-05-01", "conn": "lake"}})
    assert task.target == ResultFile("s3://bucket/2026-05-01.parquet", conn_id="lake")
    assert target.conn_id == "{{ params.conn }}"


@pytest.mark.slow
def test_no_value_of_a_document_is_in_the_log_of_a_run_to_a_file(
    execute: Execute,
    image_list: ImageList,
    connected: RunningEmulator,
    tmp_path: Path,
    all_logged: Callable[[], str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    specimens = image_list(2)
    execute(target=ResultFile(f"{tmp_path}/permits.parquet"), ledger=LEDGER, batch=Batch(rows=1))
    said = all_logged() + "".join(capfd.readouterr())
    assert "2 recognized" in said
    for specimen in specimens:
        assert specimen.fields["Number"] not in said
        assert specimen.fields["Name"] not in said


@pytest.mark.slow
@pytest.mark.parametrize("as_what", ["alone", "beside a table"])
def test_a_disk_that_is_full_at_the_end_costs_no_call(
    execute: Execute,
    image_list: ImageList,
    connected: RunningEmulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    as_what: str,
) -> None:
    image_list(12)
    file = tmp_path / "permits.csv"
    arguments = target_of(as_what, ResultFile(str(file), file_mode=0o640))
    put = LocalStore.put

    def full(store: LocalStore, path: str, write: Any) -> None:
        if path == str(file):
            raise OSError(errno.ENOSPC, "No space left on device")
        put(store, path, write)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "put", full)
        with pytest.raises(AirflowException, match="No space left on device"):
            execute(**arguments)
    assert not file.exists()

    again = execute(**arguments)

    assert (again["calls"], connected.stats()["calls"]) == (0, 12)
    assert len(pd.read_csv(file)) == 12
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
