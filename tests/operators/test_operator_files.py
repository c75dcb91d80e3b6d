from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_permitocr.core.shard import Shard
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.files.local_store import LocalStore
from airflow_provider_permitocr.operators.mainland_permit_ocr import (
    Batch,
    ImageQuery,
    MainlandPermitOcrOperator,
    ResultFile,
    ResultTable,
    shards,
)

ImageList = Callable[..., list[Specimen]]
NewOperator = Callable[..., MainlandPermitOcrOperator]
Execute = Callable[..., dict[str, Any]]

EMPTY = ImageQuery(
    "SELECT image_id, image FROM permit_images WHERE false",
    conn_id="warehouse",
    key="image_id",
    image="image",
)


def test_a_file_takes_the_place_of_the_table(
    execute: Execute, image_list: ImageList, connected: RunningEmulator, tmp_path: Path, warehouse: sa.Engine
) -> None:
    specimens = image_list(3, [{"image_id": "gone", "image": "/no/such/file.png"}])
    target = ResultFile(f"{tmp_path}/permits.parquet")

    first, again = execute(target=target), execute(target=target)

    read = pd.read_parquet(tmp_path / "permits.parquet").set_index("image_key")
    for number, specimen in enumerate(specimens):
        assert read["number"][f"k{number:03}"] == specimen.fields["Number"]
    assert (read["status"]["gone"], read["tries"]["gone"]) == ("retry", 2)
    assert (first["calls"], again["calls"], again["skipped"]) == (3, 0, 3)
    assert sa.inspect(warehouse).get_table_names() == ["permit_images"]
    assert {each.name for each in tmp_path.iterdir()} == {"permits.parquet", *(f"{n}.jpg" for n in range(3))}


def test_what_a_run_that_was_stopped_has_paid_for_is_in_the_next_ones_file(
    operator: NewOperator, execute: Execute, image_list: ImageList, connected: RunningEmulator, tmp_path: Path
) -> None:
    image_list(6)
    target = ResultFile(f"{tmp_path}/permits.csv")
    task = operator(target=target, max_per_second=5, batch=Batch(rows=1))

    def stop_after_two() -> None:
        while connected.stats()["calls"] < 2:
            time.sleep(0.01)
        task.on_kill()

    stopper = threading.Thread(target=stop_after_two)
    stopper.start()
    with pytest.raises(AirflowException, match="asked to stop"):
        task.execute({"run_id": "run-1"})
    stopper.join()
    assert not (tmp_path / "permits.csv").exists()

    execute(target=target)

    assert connected.stats()["calls"] == 6
    assert len(pd.read_csv(tmp_path / "permits.csv", dtype=str)) == 6


def test_beside_a_table_the_file_gets_all_rows_of_the_list_in_its_order(
    execute: Execute, image_list: ImageList, connected: RunningEmulator, tmp_path: Path
) -> None:
    specimens = image_list(4, [{"image_id": "gif", "image": "data:image/gif;base64,R0lGODlhAQABAAAAACw="}])
    export = ResultFile(f"{tmp_path}/permits.parquet")
    execute()  # which settles all of them

    summary = execute(export=export)

    read = pd.read_parquet(tmp_path / "permits.parquet")
    assert summary["calls"] == 0
    assert list(read["image_key"]) == ["gif", "k000", "k001", "k002", "k003"]
    assert list(read["number"])[1:] == [each.fields["Number"] for each in specimens]
    assert str(read["birthday"][1]) == specimens[0].fields["Birthday"].replace(".", "-")


def test_an_export_holds_the_list_of_its_run_alone(
    execute: Execute, image_list: ImageList, connected: RunningEmulator, tmp_path: Path
) -> None:
    image_list(4)
    execute()
    export = ResultFile(f"{tmp_path}/permits.csv")
    some = ImageQuery(
        "SELECT image_id, image FROM permit_images WHERE image_id > 'k001'",
        conn_id="warehouse",
        key="image_id",
        image="image",
    )

    execute(source=some, export=export)
    of_some = list(pd.read_csv(tmp_path / "permits.csv")["image_key"])
    execute(source=EMPTY, export=export)

    assert of_some == ["k002", "k003"]
    assert len(pd.read_csv(tmp_path / "permits.csv")) == 0


def test_an_export_of_a_table_in_another_database(
    execute: Execute,
    image_list: ImageList,
    connected: RunningEmulator,
    set_connection: Callable[..., None],
    tmp_path: Path,
) -> None:
    image_list(2)
    set_connection("lake", conn_type="sqlite", host=str(tmp_path / "lake.db"))
    execute(target=ResultTable("permits", "lake"), export=ResultFile(f"{tmp_path}/permits.csv.gz"))
    assert list(pd.read_csv(tmp_path / "permits.csv.gz")["image_key"]) == ["k000", "k001"]


@pytest.mark.parametrize("beside", [False, True])
def test_each_shard_writes_a_file_of_its_own(
    execute: Execute, image_list: ImageList, connected: RunningEmulator, tmp_path: Path, beside: bool
) -> None:
    image_list(9)
    file = ResultFile(f"{tmp_path}/permits-{{shard}}.csv")

    for shard in shards(2):
        execute(shard=shard, **({"export": file} if beside else {"target": file}))

    for number in (1, 2):
        keys = sorted(pd.read_csv(tmp_path / f"permits-{number}-of-2.csv")["image_key"])
        assert keys == [f"k{key:03}" for key in range(9) if Shard(number, 2).holds(f"k{key:03}")]


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"target": ResultFile("/d/a.csv"), "shard": "1/2"}, ValueError, "put {shard} into the path"),
        ({"export": ResultFile("/d/a.csv"), "shard": "1/2"}, ValueError, "put {shard} into the path"),
        ({"export": ResultFile("/d/{shard}.csv")}, ValueError, "the task has no shard"),
        (
            {"target": ResultFile("/d/a.csv"), "export": ResultFile("/d/b.csv")},
            TypeError,
            "the target of an export must be ResultTable, not ResultFile",
        ),
        ({"export": "/d/a.csv"}, TypeError, "export must be ResultFile, not str"),
    ],
)
def test_what_cannot_work_is_refused_when_the_dag_is_parsed(
    operator: NewOperator, arguments: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as caught:
        operator(**arguments)
    assert says in str(caught.value)


@pytest.mark.parametrize("as_what", ["target", "export"])
def test_a_place_that_is_not_there_fails_the_task_before_the_first_call(
    execute: Execute, image_list: ImageList, connected: RunningEmulator, tmp_path: Path, as_what: str
) -> None:
    image_list(1)
    with pytest.raises(AirflowFailException, match="No such file or directory"):
        execute(**{as_what: ResultFile(f"{tmp_path}/nowhere/a.csv")})
    assert connected.stats()["calls"] == 0


def test_a_path_is_rendered_into_a_copy(operator: NewOperator) -> None:
    target = ResultFile("s3://bucket/{{ params.day }}.parquet", conn_id="{{ params.conn }}")
    task = operator(target=target)
    task.render_template_fields({"params": {"day": "2026-05-01", "conn": "lake"}})
    assert task.target == ResultFile("s3://bucket/2026-05-01.parquet", conn_id="lake")
    assert target.conn_id == "{{ params.conn }}"
    assert task.export is None


def test_no_value_of_a_document_is_in_the_log_of_a_run_to_a_file(
    execute: Execute,
    image_list: ImageList,
    connected: RunningEmulator,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    specimens = image_list(2)
    caplog.set_level(logging.DEBUG)
    execute(target=ResultFile(f"{tmp_path}/permits.parquet"), batch=Batch(rows=1))
    said = caplog.text + "".join(capfd.readouterr())
    assert "2 recognized" in said
    for specimen in specimens:
        assert specimen.fields["Number"] not in said
        assert specimen.fields["Name"] not in said


def test_result_file_whose_disk_is_full_leaves_answers_to_the_next_run(
    execute: Execute,
    connected: RunningEmulator,
    image_list: ImageList,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image_list(12)
    (tmp_path / "out").mkdir()
    arguments: dict[str, Any] = {
        "target": ResultFile(str(tmp_path / "out" / "permits.csv")),
        "spill_to": str(tmp_path / "spill"),
    }
    put = LocalStore.put

    def full(store: LocalStore, path: str, write: Any) -> None:
        if path.endswith(".part"):
            raise OSError(errno.ENOSPC, "No space left on device")
        put(store, path, write)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "put", full)
        with pytest.raises(AirflowException, match=r"No space left on device.*12 results.*kept in .*/spill/"):
            execute(**arguments)
    assert execute(**arguments)["calls"] == 0
    assert len((tmp_path / "out" / "permits.csv").read_text(encoding="utf-8-sig").splitlines()) == 13
    assert connected.stats()["calls"] == 12
    assert list((tmp_path / "spill").iterdir()) == []
