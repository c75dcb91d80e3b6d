"""Portraits in a folder of their own: where they are, who can find them, and what is left elsewhere."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_permitocr import (
    Batch,
    MainlandPermitOcrHook,
    MainlandPermitOcrOperator,
    PermitErasureOperator,
    PortraitFolder,
    Privacy,
    ResultFile,
    ResultTable,
)
from airflow_provider_permitocr.cli.adopt import adopt_list
from airflow_provider_permitocr.emulator.engines.label import LabelEngine
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.files.portrait_files import PortraitFiles
from airflow_provider_permitocr.sql.ledger.tables.schema import ledger_tables

ImageList = Callable[..., list[Specimen]]
Execute = Callable[..., dict[str, Any]]
Rows = Callable[[], dict[tuple[str, str], dict[str, Any]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "portraits"
    made.mkdir(mode=0o700)
    return made


def answers_of(warehouse: sa.Engine) -> list[dict[str, Any]]:
    with warehouse.connect() as connection:
        found = connection.execute(sa.text("SELECT answer FROM permit_ocr_answers"))
        return [json.loads(answer) for (answer,) in found]


@pytest.mark.whole_runs
def test_a_row_has_the_path_of_its_portrait_and_nothing_else_keeps_it(
    image_list: ImageList,
    execute: Execute,
    permits: Rows,
    warehouse: sa.Engine,
    folder: Path,
    connected: RunningEmulator,
) -> None:
    image_list(3)
    execute(portraits=PortraitFolder(str(folder)))
    paths = {Path(str(row["profile"])) for row in permits().values()}
    assert paths == set(folder.iterdir())
    assert len(paths) == 3
    assert all(path.read_bytes().startswith(b"\xff\xd8\xff") for path in paths)
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert {answer["Profile"] for answer in answers_of(warehouse)} == set(map(str, paths))


def test_a_name_tells_nothing_of_the_image_its_key_or_its_call(
    image_list: ImageList,
    execute: Execute,
    permits: Rows,
    warehouse: sa.Engine,
    folder: Path,
    connected: RunningEmulator,
) -> None:
    image_list(1)
    execute(portraits=PortraitFolder(str(folder)))
    row = permits()["k000", "FRONT"]
    name = Path(str(row["profile"])).stem
    assert len(name) == 40
    assert name not in json.dumps({**row, "profile": None}, default=str)


@pytest.mark.whole_runs
def test_portraits_are_not_asked_for_by_default(
    image_list: ImageList, execute: Execute, permits: Rows, warehouse: sa.Engine, connected: RunningEmulator
) -> None:
    image_list(1)
    execute()
    assert [row["profile"] for row in permits().values()] == [None]
    assert not any(answer.get("Profile") for answer in answers_of(warehouse))


def test_base64_is_in_the_table_where_that_is_asked_for(
    image_list: ImageList, execute: Execute, permits: Rows, connected: RunningEmulator
) -> None:
    image_list(1)
    execute(portraits="column")
    (row,) = permits().values()
    assert base64.b64decode(str(row["profile"])).startswith(b"\xff\xd8\xff")


@pytest.mark.whole_runs
def test_tables_and_files_have_the_same_path(
    image_list: ImageList,
    execute: Execute,
    permits: Rows,
    folder: Path,
    tmp_path: Path,
    connected: RunningEmulator,
) -> None:
    image_list(2)
    file = tmp_path / "permits.csv"
    targets = [ResultTable("permits", conn_id="warehouse"), ResultFile(str(file))]
    execute(portraits=PortraitFolder(str(folder)), target=targets, list="permits")
    assert set(pd.read_csv(file)["profile"]) == {row["profile"] for row in permits().values()}
    assert len(list(folder.iterdir())) == 2


@pytest.mark.whole_runs
def test_a_folder_that_comes_later_takes_the_portraits_that_the_ledger_has(
    image_list: ImageList,
    execute: Execute,
    permits: Rows,
    warehouse: sa.Engine,
    folder: Path,
    connected: RunningEmulator,
) -> None:
    image_list(2)
    execute(portraits="column")
    execute("run-2", portraits=PortraitFolder(str(folder)), rebuild=True)
    assert {row["profile"] for row in permits().values()} == set(map(str, folder.iterdir()))
    assert {answer["Profile"] for answer in answers_of(warehouse)} == set(map(str, folder.iterdir()))
    assert connected.stats()["calls"] == 2


@pytest.mark.whole_runs
def test_the_same_picture_has_one_portrait(
    image_list: ImageList,
    execute: Execute,
    permits: Rows,
    folder: Path,
    tmp_path: Path,
    connected: RunningEmulator,
) -> None:
    image_list(1)
    image_list(0, [{"image_id": "again", "image": str(tmp_path / "0.jpg")}])
    execute(portraits=PortraitFolder(str(folder)), reuse_identical=True)
    assert connected.stats()["calls"] == 1
    (path,) = folder.iterdir()
    assert {row["profile"] for row in permits().values()} == {str(path)}


def test_a_folder_that_is_not_there_is_named_before_the_first_call(
    image_list: ImageList, execute: Execute, folder: Path, connected: RunningEmulator
) -> None:
    image_list(1)
    with pytest.raises(AirflowFailException, match=r"writing portraits to '.*missing' failed.*create"):
        execute(portraits=PortraitFolder(str(folder / "missing")))
    assert connected.stats()["calls"] == 0


@pytest.mark.whole_runs
def test_a_store_that_is_down_costs_no_call_twice_and_no_portrait(
    image_list: ImageList,
    execute: Execute,
    permits: Rows,
    folder: Path,
    connected: RunningEmulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image_list(2)
    with monkeypatch.context() as down:

        def refuse(_self: object, path: str, _content: bytes) -> None:
            if not path.endswith(".trial"):
                raise OSError(5, "Input/output error")

        down.setattr(PortraitFiles, "_put", refuse)
        with pytest.raises(AirflowException, match="writing portraits to"):
            execute(portraits=PortraitFolder(str(folder)), batch=Batch(patience_seconds=0))
    assert permits() == {}
    assert execute("run-2", portraits=PortraitFolder(str(folder)))["calls"] == 0
    assert {row["profile"] for row in permits().values()} == set(map(str, folder.iterdir()))
    assert connected.stats()["calls"] == 2


@pytest.mark.whole_runs
@pytest.mark.parametrize("as_column", [False, True], ids=["folder", "column"])
def test_a_portrait_that_names_a_file_of_somebody_else_never_has_it_deleted(
    image_list: ImageList,
    operator: Callable[..., MainlandPermitOcrOperator],
    permits: Rows,
    folder: Path,
    connected: RunningEmulator,
    monkeypatch: pytest.MonkeyPatch,
    as_column: bool,
) -> None:
    image_list(1)
    somebodys = folder / "0123456789abcdef0123456789abcdef01234567.jpg"
    somebodys.touch()
    read = LabelEngine.read

    def answer(*asked: Any) -> dict[str, Any]:
        return read(*asked) | {"Profile": str(somebodys)}

    monkeypatch.setattr(LabelEngine, "read", answer)
    task = operator(portraits="column" if as_column else PortraitFolder(str(folder)))
    task.execute({"run_id": "run-1"})
    assert permits()["k000", "FRONT"]["status"] == "recognized"
    PermitErasureOperator(task_id="erase", recognition=task, keys=["k000"]).execute({"run_id": "erasing"})
    assert permits()["k000", "FRONT"]["status"] == "erased"
    assert somebodys.exists()


@pytest.mark.whole_runs
def test_a_table_that_was_taken_over_has_nothing_but_portraits_deleted(
    image_list: ImageList,
    operator: Callable[..., MainlandPermitOcrOperator],
    warehouse: sa.Engine,
    folder: Path,
    connected: RunningEmulator,
) -> None:
    image_list(1)
    task = operator(portraits=PortraitFolder(str(folder)))
    task.execute({"run_id": "run-1"})
    somebodys = folder / "dag.py"
    somebodys.touch()
    with warehouse.begin() as connection:
        connection.execute(sa.text("UPDATE permits SET profile = :path"), {"path": str(somebodys)})
        for table in ledger_tables("permit_ocr"):
            table.drop(connection)
    adopt_list(task)
    PermitErasureOperator(task_id="erase", recognition=task, keys=["k000"]).execute({"run_id": "erasing"})
    assert somebodys.exists()


def test_a_policy_that_drops_what_is_asked_for_is_refused_when_the_dag_is_parsed(execute: Execute) -> None:
    with pytest.raises(ValueError, match="portraits are asked for, and the policy drops them"):
        execute(portraits="column", privacy="analytics")
    with pytest.raises(ValueError, match="portraits are asked for, and the policy drops them"):
        MainlandPermitOcrHook(portraits="column", privacy=Privacy(profile="drop"))


def test_a_frame_has_the_paths_of_portraits(
    front: Specimen, folder: Path, connected: RunningEmulator
) -> None:
    with MainlandPermitOcrHook(portraits=PortraitFolder(str(folder))) as hook:
        frame = hook.recognize_frame(pd.DataFrame({"image": [front.image]}))
    (path,) = folder.iterdir()
    assert list(frame["profile"]) == [str(path)]


def test_a_portrait_that_is_not_base64_costs_no_answer(
    front: Specimen, folder: Path, connected: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = LabelEngine.read
    monkeypatch.setattr(LabelEngine, "read", lambda *asked: read(*asked) | {"Profile": "abc"})
    with MainlandPermitOcrHook(portraits=PortraitFolder(str(folder))) as hook:
        record = hook.recognize(front.image)
    assert (record["status"], record["profile"]) == ("recognized", "abc")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [("base64", "must be a PortraitFolder or 'column', not 'base64'"), ("", "PortraitFolder or 'column'")],
)
def test_another_place_for_portraits_is_refused(execute: Execute, given: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        execute(portraits=given)


@pytest.mark.parametrize("path", ["portraits", ""])
def test_a_folder_that_depends_on_the_worker_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="PortraitFolder: path must be"):
        PortraitFolder(path)


def test_a_folder_that_is_rendered_from_a_template_is_refused(
    operator: Callable[..., MainlandPermitOcrOperator],
) -> None:
    task = operator(portraits=PortraitFolder("{{ params.folder }}"))
    with pytest.raises(ValueError, match="PortraitFolder: path still contains a template"):
        task.render_template_fields({"params": {"folder": "{{ portraits }}"}})
