"""Erasing people from everything that a run has filled, and what runs make of it afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_permitocr import (
    Batch,
    ImageTable,
    Ledger,
    MainlandPermitOcrOperator,
    PermitErasureOperator,
    PortraitFolder,
    ResultFile,
    ResultTable,
)
from airflow_provider_permitocr.cli.adopt import adopt_list
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.sql.database.failures import DatabaseUnreachableError
from airflow_provider_permitocr.sql.ledger.sql_ledger import SqlLedger
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from tests.operators.test_operator_privacy import everything_in, shown_in

ImageList = Callable[..., list[Specimen]]
Execute = Callable[..., dict[str, Any]]
Rows = Callable[[], dict[tuple[str, str], dict[str, Any]]]
NewOperator = Callable[..., MainlandPermitOcrOperator]

#: A table, a history and a table that is added later, all of one list.
TABLE = ResultTable("permits", conn_id="warehouse")
HISTORY = ResultTable("recognitions", conn_id="warehouse", mode="append")


@pytest.fixture
def source(warehouse: sa.Engine, image_list: ImageList) -> ImageTable:
    """The image list, with a copied column that tells of a person."""
    image_list(0, [{"image_id": "none", "image": "/none.jpg"}])
    with warehouse.begin() as connection:
        connection.execute(sa.text("DELETE FROM permit_images"))
        connection.execute(sa.text("ALTER TABLE permit_images ADD customer text DEFAULT 'Ms. 慕容'"))
    return ImageTable(
        "permit_images",
        conn_id="warehouse",
        key="image_id",
        image="image",
        updated_at="uploaded_at",
        carry_columns=["customer"],
    )


def erase(recognition: MainlandPermitOcrOperator, **rule: Any) -> dict[str, Any]:
    erasing = PermitErasureOperator(task_id="erase", recognition=recognition, **rule)
    return erasing.execute({"run_id": "erasing"})


def cost(warehouse: sa.Engine) -> Any:
    with warehouse.connect() as connection:
        calls = "SELECT count(*), sum(billed), min(unit_price), max(code) FROM permit_ocr_calls"
        return connection.execute(sa.text(calls)).all()


def found_in(warehouse: sa.Engine, file: Path, people: list[Specimen]) -> list[str]:
    return shown_in(everything_in(warehouse) + file.read_text(encoding="utf-8"), people)


@pytest.mark.whole_runs
def test_nobody_who_was_erased_is_found_in_any_table_or_file_and_no_run_brings_them_back(
    source: ImageTable,
    image_list: ImageList,
    operator: NewOperator,
    warehouse: sa.Engine,
    tmp_path: Path,
    connected: RunningEmulator,
) -> None:
    people = image_list(4)
    file = tmp_path / "permits.csv"
    targets = [TABLE, HISTORY, ResultFile(str(file))]
    task = operator(source=source, target=targets, list="permits")
    task.execute({"run_id": "run-1"})
    assert len(found_in(warehouse, file, people)) > 8
    before = cost(warehouse)
    planned = erase(task, keys=["k000", "k001"], plan_only=True)
    assert (planned["images"], planned["answers"], planned["tables"], planned["files"]) == (2, 2, 2, 1)
    assert len(found_in(warehouse, file, people)) > 8
    done = erase(task, keys=["k000", "k001"])
    assert (done["images"], done["answers"], done["files"], done["calls"]) == (2, 2, 1, 0)
    assert found_in(warehouse, file, people[:2]) == []
    assert found_in(warehouse, file, people[2:]) != []
    assert cost(warehouse) == before
    assert operator(source=source, target=targets, list="permits").execute({"run_id": "run-2"})["calls"] == 0
    more = [*targets, ResultTable("added_later", conn_id="warehouse")]
    task = operator(source=source, target=more, list="permits", rebuild=True)
    task.execute({"run_id": "run-3"})
    assert found_in(warehouse, file, people[:2]) == []
    with warehouse.connect() as connection:
        rows = connection.execute(sa.text("SELECT * FROM permits WHERE image_key = 'k000'")).mappings().one()
        history = connection.execute(sa.text("SELECT * FROM recognitions WHERE image_key = 'k000'")).all()
    assert (rows["status"], rows["customer"], rows["image_digest"]) == ("erased", None, None)
    assert len(history) == 1
    erase(task, keys=["k002", "k003"])
    assert found_in(warehouse, file, people) == []
    assert "慕容" not in everything_in(warehouse)
    assert connected.stats()["calls"] == 4


@pytest.mark.whole_runs
@pytest.mark.parametrize("has_others", [True, False], ids=["beside another", "alone"])
def test_a_file_that_a_run_ends_while_people_are_erased_is_written_again_or_named(
    source: ImageTable,
    image_list: ImageList,
    operator: NewOperator,
    warehouse: sa.Engine,
    tmp_path: Path,
    connected: RunningEmulator,
    monkeypatch: pytest.MonkeyPatch,
    has_others: bool,
) -> None:
    """The run had read them before, and is still open when finished runs are first looked up."""
    people = image_list(2)
    files = [tmp_path / f"{number}.csv" for number in range(1 + has_others)]
    for number, file in enumerate(files):
        task = operator(source=source, target=[TABLE, ResultFile(str(file))], list="permits")
        task.execute({"run_id": f"run-{number}"})

    def set_last_run(is_whole: int) -> None:
        with warehouse.begin() as connection:
            is_last = f"run_id = 'run-{len(files) - 1}'"
            connection.execute(sa.text(f"UPDATE permit_ocr_runs SET is_whole = {is_whole} WHERE {is_last}"))

    set_last_run(0)
    look_up = SqlLedger.whole_runs

    def look_up_before_the_end(ledger: SqlLedger) -> Any:
        found = look_up(ledger)
        set_last_run(1)
        return found

    monkeypatch.setattr(SqlLedger, "whole_runs", look_up_before_the_end)
    done = erase(task, keys=["k000"])
    is_named = any("unfinished" in each for each in done["not_reached"])
    assert (found_in(warehouse, files[-1], people[:1]) != []) is is_named is not has_others
    assert found_in(warehouse, files[-1], people[1:]) != []


@pytest.mark.whole_runs
def test_no_file_loses_its_columns_while_the_list_cannot_be_read(
    source: ImageTable,
    image_list: ImageList,
    operator: NewOperator,
    warehouse: sa.Engine,
    tmp_path: Path,
    connected: RunningEmulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    people, file = image_list(2), tmp_path / "permits.csv"
    task = operator(source=source, target=[TABLE, ResultFile(str(file))], list="permits")
    task.execute({"run_id": "run-1"})
    written = file.read_bytes()

    def fail(_source: SqlImageSource) -> None:
        raise DatabaseUnreachableError("reading the image list failed")

    with monkeypatch.context() as patched:
        patched.setattr(SqlImageSource, "carried", fail)
        with pytest.raises(AirflowException, match="reading the image list failed"):
            erase(task, keys=["k000"])
    assert file.read_bytes() == written
    erase(task, keys=["k000"])
    assert found_in(warehouse, file, people[:1]) == []
    assert found_in(warehouse, file, people[1:]) != []


def test_an_erased_image_that_changes_is_called_for(
    image_list: ImageList,
    execute: Execute,
    operator: NewOperator,
    permits: Rows,
    warehouse: sa.Engine,
    connected: RunningEmulator,
) -> None:
    image_list(2)
    execute()
    erase(operator(), keys="k000, k001")
    assert execute("run-2")["calls"] == 0
    with warehouse.begin() as connection:
        later = "UPDATE permit_images SET uploaded_at = now() + interval '1 day' WHERE image_id = 'k001'"
        connection.execute(sa.text(later))
    assert execute("run-3")["calls"] == 1
    assert {key: row["status"] for (key, _), row in permits().items()} == {
        "k000": "erased",
        "k001": "recognized",
    }


@pytest.mark.slow
@pytest.mark.parametrize("adopts", [False, True])
def test_a_table_that_is_restored_from_a_backup_is_erased_again(
    image_list: ImageList,
    execute: Execute,
    operator: NewOperator,
    warehouse: sa.Engine,
    connected: RunningEmulator,
    adopts: bool,
) -> None:
    people = image_list(2)
    execute()
    for statements in (
        ["CREATE TABLE of_yesterday AS SELECT * FROM permits"],
        [],
        ["DELETE FROM permits", "INSERT INTO permits SELECT * FROM of_yesterday", "DROP TABLE of_yesterday"],
    ):
        if not statements:
            erase(operator(), keys=["k000"])
        with warehouse.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))
    assert shown_in(everything_in(warehouse), people[:1]) != []
    if adopts:
        assert adopt_list(operator()).taken == 0
    assert execute("run-2")["calls"] == 0
    assert shown_in(everything_in(warehouse), people[:1]) == []
    assert shown_in(everything_in(warehouse), people[1:]) != []


@pytest.mark.whole_runs
def test_a_table_that_is_down_gets_the_erasure_from_the_next_run(
    image_list: ImageList,
    execute: Execute,
    operator: NewOperator,
    warehouse: sa.Engine,
    connected: RunningEmulator,
) -> None:
    people = image_list(1)
    both = {"target": [TABLE, HISTORY], "list": "permits"}
    execute(**both)
    with warehouse.begin() as connection:
        for statement in (
            "CREATE FUNCTION no() RETURNS trigger AS 'BEGIN RAISE lock_not_available; END' LANGUAGE plpgsql",
            "CREATE TRIGGER no BEFORE DELETE ON recognitions FOR EACH ROW EXECUTE FUNCTION no()",
        ):
            connection.execute(sa.text(statement))
    with pytest.raises(AirflowException):
        erase(operator(**both, batch=Batch(patience_seconds=0.5)), keys=["k000"])
    with warehouse.begin() as connection:
        rows = connection.execute(sa.text("SELECT * FROM permits")).all()
        connection.execute(sa.text("DROP TRIGGER no ON recognitions"))
    assert shown_in(str(rows), people) == []
    execute("run-2", **both)
    assert shown_in(everything_in(warehouse), people) == []


@pytest.mark.whole_runs
def test_a_stricter_policy_is_applied_to_all_that_is_stored(
    image_list: ImageList,
    execute: Execute,
    operator: NewOperator,
    permits: Rows,
    warehouse: sa.Engine,
    tmp_path: Path,
    connected: RunningEmulator,
) -> None:
    people = image_list(2)
    file = tmp_path / "permits.csv"
    targets = [TABLE, HISTORY, ResultFile(str(file))]
    execute(target=targets, list="permits")
    done = erase(operator(target=targets, list="permits", privacy="analytics"), policy=True)
    assert (done["images"], done["answers"], done["unreadable"]) == (2, 2, 0)
    assert found_in(warehouse, file, people) == []
    assert {row["status"] for row in permits().values()} == {"recognized"}
    assert {row["type"] for row in permits().values()} == {each.fields["Type"] for each in people}
    assert execute("run-2", target=targets, list="permits", privacy="analytics")["calls"] == 0
    assert found_in(warehouse, file, people) == []


@pytest.mark.whole_runs
def test_what_it_cannot_reach_is_named(
    image_list: ImageList,
    execute: Execute,
    operator: NewOperator,
    warehouse: sa.Engine,
    connected: RunningEmulator,
) -> None:
    image_list(1)
    execute(target=[TABLE, HISTORY], list="permits")
    done = erase(operator(target=TABLE, list="permits"), keys=["k000", "unknown"])
    said = "\n".join(done["not_reached"])
    assert "the table warehouse:public.recognitions, which this task does not name" in said
    for each in ("VACUUM", "backups", "journals on other machines", "copies that others have made"):
        assert each in said
    assert done["unknown_keys"] == 1
    with warehouse.connect() as connection:
        record = connection.execute(sa.text("SELECT * FROM permit_ocr_erasures")).mappings().one()
    assert (record["rule"], record["images"], record["ended_at"] is not None) == ("2 keys", 1, True)
    assert "k000" not in str(dict(record))


@pytest.mark.whole_runs
def test_a_row_that_a_table_refuses_to_have_erased_fails_the_task(
    image_list: ImageList,
    execute: Execute,
    operator: NewOperator,
    warehouse: sa.Engine,
    connected: RunningEmulator,
) -> None:
    image_list(1)
    execute()
    with warehouse.begin() as connection:
        only = "ALTER TABLE permits ADD CONSTRAINT known CHECK (status IN ('recognized', 'failed'))"
        connection.execute(sa.text(only))
    with pytest.raises(AirflowException, match="1 row is refused by a result table"):
        erase(operator(), keys=["k000"])


@pytest.mark.slow
def test_people_are_erased_while_a_run_calls_for_them(
    image_list: ImageList,
    operator: NewOperator,
    warehouse: sa.Engine,
    tmp_path: Path,
    connected: RunningEmulator,
) -> None:
    people = image_list(30)
    file = tmp_path / "none.csv"
    file.write_text("")
    both = {"target": [TABLE, HISTORY], "list": "permits", "max_per_second": 20}
    task = operator(**both)
    running = threading.Thread(target=lambda: task.execute({"run_id": "run-1"}))
    running.start()
    keys = [f"k{number:03}" for number in range(30)]
    erased = 0
    while running.is_alive():
        with suppress(AirflowException):  # as long as the run has not registered its list
            erased += erase(operator(**both), keys=keys)["images"]
    running.join()
    erased += erase(operator(**both), keys=keys)["images"]
    assert erased >= 30
    assert found_in(warehouse, file, people) == []


def test_a_task_without_a_policy_has_none_to_apply(operator: NewOperator, connected: RunningEmulator) -> None:
    with pytest.raises(AirflowFailException, match="no privacy policy"):
        erase(operator(ledger=Ledger(conn_id="warehouse")), policy=True)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({}, "by one of"),
        ({"keys": ["a"], "policy": True}, "by one of"),
        ({"older_than_days": 0}, "1 to 36500"),
        ({"older_than_days": 10**12}, "1 to 36500"),
    ],
)
def test_a_wrong_rule_is_refused_as_the_dag_is_parsed(
    operator: NewOperator, rule: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        PermitErasureOperator(task_id="erase", recognition=operator(), **rule)


@pytest.mark.whole_runs
@pytest.mark.parametrize("keep_answers", [None, "delivered"])
def test_the_portrait_of_an_erased_image_is_deleted_and_no_other(
    source: ImageTable,
    image_list: ImageList,
    operator: NewOperator,
    permits: Rows,
    tmp_path: Path,
    connected: RunningEmulator,
    keep_answers: str | None,
) -> None:
    image_list(2)
    folder = tmp_path / "portraits"
    folder.mkdir()
    recognition = operator(
        source=source,
        portraits=PortraitFolder(str(folder)),
        ledger=Ledger(conn_id="warehouse", keep_answers=keep_answers),
    )
    recognition.execute({"run_id": "run-1"})
    assert len(list(folder.iterdir())) == 2
    erase(recognition, keys=["k000"], plan_only=False)
    assert {str(path) for path in folder.iterdir()} == {permits()["k001", "FRONT"]["profile"]}


def test_a_mapped_task_is_refused_with_the_way_out() -> None:
    mapped: Any = MainlandPermitOcrOperator.partial(task_id="recognize", target=TABLE).expand(source=[])
    with pytest.raises(TypeError, match="for a mapped one, use airflow permitocr erase"):
        PermitErasureOperator(task_id="erase", recognition=mapped, keys=["a"])


@pytest.mark.whole_runs
def test_templates_of_the_recognizing_task_are_rendered_into_a_copy(
    image_list: ImageList, execute: Execute, operator: NewOperator, permits: Rows, connected: RunningEmulator
) -> None:
    image_list(1)
    execute(target=ResultTable("permits", conn_id="warehouse"), list="daily")
    task = operator(target=ResultTable("{{ params.table }}", conn_id="warehouse"), list="{{ params.list }}")
    erasing = PermitErasureOperator(task_id="erase", recognition=task, keys="{{ params.wanted }}")
    context: Any = {"run_id": "erasing", "params": {"table": "permits", "list": "daily", "wanted": "k000"}}
    erasing.render_template_fields(context)
    assert erasing.execute(context)["images"] == 1
    assert task.list == "{{ params.list }}"
    assert {row["status"] for row in permits().values()} == {"erased"}


@pytest.mark.whole_runs
def test_a_template_may_render_to_the_text_of_a_list(
    image_list: ImageList, execute: Execute, operator: NewOperator, permits: Rows, connected: RunningEmulator
) -> None:
    image_list(2)
    execute()
    erasing = PermitErasureOperator(task_id="erase", recognition=operator(), keys="{{ params.wanted }}")
    context: Any = {"run_id": "erasing", "params": {"wanted": ["k000", "k001"]}}
    erasing.render_template_fields(context)
    assert erasing.execute(context)["images"] == 2
    assert {row["status"] for row in permits().values()} == {"erased"}
