"""``plan_only=True`` on real databases: what it tells is what the run then does, and nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_permitocr import (
    Budget,
    ImageTable,
    Ledger,
    MainlandPermitOcrOperator,
    ResultFile,
    ResultTable,
    shards,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from tests.operators.conftest import ImageList, NewOperator

Execute = Callable[..., dict[str, Any]]
ConnectEmulator = Callable[..., None]

LEDGER = Ledger("permit_ocr", conn_id="warehouse")


@pytest.fixture
def kept_ledgers() -> None:
    """Databases are empty: a plan says what a run will create."""


@pytest.fixture
def catalog(warehouse: sa.Engine) -> Callable[[], list[Any]]:
    """Read all that a database holds: relations, their columns, indexes, how many rows were written."""

    def read() -> list[Any]:
        statement = """
            SELECT c.relname::text, c.relkind::text, a.attname::text, n.nspname::text FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1, 3
        """
        with warehouse.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

    return read


@pytest.fixture
def mixed_list(image_list: ImageList, tmp_path: Path) -> None:
    """Six good fronts, one of them twice more, and of each fault one."""
    (tmp_path / "gif.gif").write_bytes(b"GIF89a")
    (tmp_path / "empty.jpg").write_bytes(b"")
    image_list(
        6,
        further=[
            {"image_id": "same", "image": str(tmp_path / "0.jpg")},
            {"image_id": "same again", "image": str(tmp_path / "0.jpg")},
            {"image_id": "k000", "image": str(tmp_path / "0.jpg"), "card_side": "BACK"},
            {"image_id": "gif", "image": str(tmp_path / "gif.gif")},
            {"image_id": "empty", "image": str(tmp_path / "empty.jpg")},
            {"image_id": "missing", "image": str(tmp_path / "nowhere.jpg")},
        ],
    )


@pytest.mark.slow
@pytest.mark.usefixtures("mixed_list")
def test_a_plan_tells_what_the_run_then_does_and_changes_nothing(
    execute: Execute, connected: RunningEmulator, catalog: Callable[[], list[Any]]
) -> None:
    before = catalog()
    plan = execute(plan_only=True, budget=Budget(price_per_call=0.1, currency="USD"))
    assert catalog() == before
    assert connected.stats()["calls"] == 0

    summary = execute(budget=Budget(price_per_call=0.1, currency="USD"))

    assert plan["to_call"] == summary["calls"] == 9
    assert (plan["listed"], plan["settled"]) == (12, 0)
    assert plan["rejected"] | plan["unavailable"] == {
        code: count for code, count in summary["error_codes"].items() if code.startswith("Image")
    }
    assert (plan["cost"], plan["currency"]) == ("0.90", "USD")
    again = execute(plan_only=True)
    assert (again["settled"], again["to_call"]) == (9, 0)
    assert again["unavailable"] == {"ImageNotFound": 1, "ImageEmpty": 1, "ImageTruncated": 1}
    assert again["cost"] is None


@pytest.mark.slow
@pytest.mark.usefixtures("mixed_list")
def test_the_same_picture_is_planned_once_per_side(execute: Execute, connected: RunningEmulator) -> None:
    plan = execute(plan_only=True, reuse_identical=True)
    assert (plan["same_picture"], plan["to_call"]) == (2, 7)
    summary = execute(reuse_identical=True)
    assert summary["calls"] == plan["to_call"]


@pytest.mark.slow
def test_pictures_that_the_table_holds_already_need_no_call(
    execute: Execute, connected: RunningEmulator, image_list: ImageList, tmp_path: Path
) -> None:
    image_list(2)
    execute()
    image_list(0, further=[{"image_id": "new", "image": str(tmp_path / "1.jpg")}])
    plan = execute(plan_only=True, reuse_identical=True)
    assert (plan["settled"], plan["same_picture"], plan["to_call"]) == (2, 1, 0)
    assert execute(plan_only=True)["to_call"] == 1


@pytest.mark.slow
@pytest.mark.usefixtures("mixed_list", "connected")
def test_a_quick_plan_leaves_the_images_where_they_are(execute: Execute) -> None:
    plan = execute(plan_only="quick")
    assert (plan["to_call"], plan["is_quick"], plan["rejected"], plan["unavailable"]) == (12, True, {}, {})


@pytest.mark.slow
@pytest.mark.usefixtures("mixed_list", "connected")
def test_shards_plan_a_part_each(execute: Execute) -> None:
    plans = [execute(plan_only=True, shard=shard) for shard in shards(3)]
    assert sum(plan["to_call"] for plan in plans) == 9
    assert sum(plan["listed"] for plan in plans) == 12


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_every_recognition_of_a_history_is_planned_as_the_run_makes_it(
    execute: Execute, warehouse: sa.Engine, image_list: ImageList
) -> None:
    target = ResultTable("permits", conn_id="warehouse", mode="append")
    image_list(3)
    execute(target=target)
    with warehouse.begin() as connection:
        connection.execute(
            sa.text("UPDATE permit_images SET uploaded_at = now() + interval '1 day' WHERE image_id = 'k001'")
        )
    assert execute(target=target, plan_only=True)["to_call"] == 1
    assert execute(target=target)["calls"] == 1


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_a_result_file_is_read_and_not_touched(
    execute: Execute, image_list: ImageList, tmp_path: Path
) -> None:
    image_list(3)
    folder = tmp_path / "results"
    folder.mkdir()
    target = ResultFile(str(folder / "permits.csv"))
    assert execute(target=target, ledger=LEDGER, plan_only=True)["to_call"] == 3
    assert list(folder.iterdir()) == []
    execute(target=target, ledger=LEDGER)
    written = {file: file.read_bytes() for file in folder.iterdir()}
    assert execute(target=target, ledger=LEDGER, plan_only=True)["settled"] == 3
    assert {file: file.read_bytes() for file in folder.iterdir()} == written


@pytest.mark.usefixtures("connected")
def test_a_database_file_that_is_missing_is_not_made(
    execute: Execute, image_list: ImageList, set_connection: Callable[..., None], tmp_path: Path
) -> None:
    image_list(2)
    file = tmp_path / "new.db"
    set_connection("new", conn_type="sqlite", host=str(file))
    plan = execute(
        plan_only=True,
        reuse_identical=True,
        target=ResultTable("permits", conn_id="new"),
        ledger=Ledger("permit_ocr", conn_id="new"),
        budget=Budget(max_calls=1),
    )
    assert (plan["to_call"], plan["calls_left"], plan["allowed"]) == (2, 1, 1)
    assert not file.exists()


@pytest.mark.slow
def test_what_the_caps_leave_is_told(
    execute: Execute, connected: RunningEmulator, image_list: ImageList, catalog: Callable[[], list[Any]]
) -> None:
    image_list(8)
    budget = Budget(price_per_call=0.5, currency="CNY", max_calls=4, max_calls_per_day=6)
    capped: dict[str, Any] = {"ledger": LEDGER, "budget": budget}
    fresh = execute(plan_only=True, **capped)
    assert (fresh["calls_left"], fresh["allowed"], fresh["allowed_cost"]) == (4, 4, "2.00")
    assert not any(relation[0].startswith("permit_ocr_") for relation in catalog())

    assert execute(**capped)["calls"] == 4
    same_run = execute(plan_only=True, **capped)
    assert (same_run["to_call"], same_run["calls_left"]) == (4, 0)
    next_run = MainlandPermitOcrOperator(**_arguments(capped)).execute({"run_id": "run-2"})
    assert (next_run["to_call"], next_run["calls_left"], next_run["allowed"]) == (4, 2, 2)


def _arguments(capped: dict[str, Any]) -> dict[str, Any]:
    source = ImageTable(
        "permit_images",
        conn_id="warehouse",
        key="image_id",
        image="image",
        card_side="card_side",
        updated_at="uploaded_at",
    )
    target = ResultTable("permits", conn_id="warehouse")
    return {"task_id": "recognize", "source": source, "target": target, "plan_only": True} | capped


def test_the_log_says_it_in_words(
    execute: Execute, connected: RunningEmulator, image_list: ImageList, capsys: pytest.CaptureFixture[str]
) -> None:
    image_list(3)
    execute(plan_only=True, budget=Budget(price_per_call=0.0015, currency="USD"))
    said = capsys.readouterr().out
    assert "no call was made and nothing was written" in said
    assert "to call: 3" in said
    assert "cost: 0.0045 USD at 0.0015 USD a call" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "field"),
    [
        ({"price_per_call": -1}, "price_per_call must be 0 or more"),
        ({"price_per_call": "NaN"}, "price_per_call must be 0 or more"),
        ({"price_per_call": "a cent"}, "price_per_call must be a number"),
        ({"currency": 5}, "currency must be a text"),
    ],
)
def test_a_wrong_price_of_the_connection_is_told_by_its_field(
    execute: Execute,
    emulator: RunningEmulator,
    connect_emulator: ConnectEmulator,
    image_list: ImageList,
    extra: dict[str, Any],
    field: str,
) -> None:
    connect_emulator(emulator, extra=extra)
    image_list(1)
    for plan_only in (True, False):
        with pytest.raises(AirflowFailException, match=f"connection 'tencentcloud_default': {field}"):
            execute(plan_only=plan_only)
    assert emulator.stats()["calls"] == 0


def cost(numbers: dict[str, Any]) -> tuple[str | None, str | None]:
    return numbers["cost"], numbers["currency"]


@pytest.mark.slow
def test_the_price_of_the_operator_goes_before_that_of_the_connection(
    execute: Execute, emulator: RunningEmulator, connect_emulator: ConnectEmulator, image_list: ImageList
) -> None:
    connect_emulator(emulator, extra={"price_per_call": "0.0015", "currency": "CNY"})
    image_list(2)
    assert cost(execute(plan_only=True)) == ("0.003", "CNY")
    assert cost(execute(plan_only=True, budget=Budget(price_per_call=0.1, currency="USD"))) == ("0.20", "USD")
    assert cost(execute()) == ("0.003", "CNY")


@pytest.mark.usefixtures("connected", "warehouse")
def test_a_list_that_is_not_there_fails_as_the_run_would(execute: Execute) -> None:
    with pytest.raises(AirflowFailException, match="no table 'permit_images'"):
        execute(plan_only=True)


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_a_plan_that_is_stopped_says_so(
    operator: NewOperator, image_list: ImageList, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_list(2)
    task = operator(plan_only=True)
    log = task.log.info

    def stop_at(line: str) -> None:
        log(line)
        task.on_kill()

    monkeypatch.setattr(task.log, "info", stop_at)
    with pytest.raises(AirflowException, match="stopped before the whole list was read"):
        task.execute({"run_id": "run-1"})


@pytest.mark.slow
def test_a_plan_is_plain_json(execute: Execute, connected: RunningEmulator, image_list: ImageList) -> None:
    image_list(1)
    plan = execute(plan_only=True, budget=Budget(price_per_call=0.1))
    assert json.loads(json.dumps(plan)) == plan


@pytest.mark.parametrize("value", ["slow", 3, None])
def test_what_is_neither_dry_nor_not_is_refused_where_the_dag_is_written(
    operator: NewOperator, value: object
) -> None:
    with pytest.raises(ValueError, match="plan_only must be True, False or 'quick'"):
        operator(plan_only=value)


@pytest.mark.parametrize(
    ("rendered", "mode"),
    [("yes", "look"), ("True", "look"), ("quick", "quick"), ("no", None), ("", None), ("False", None)],
)
def test_a_template_says_whether_to_plan(operator: NewOperator, rendered: str, mode: str | None) -> None:
    task = operator(plan_only="{{ params.plan }}")
    task.render_template_fields({"params": {"plan": rendered}})
    assert task.plan_mode == mode


def test_a_template_that_says_something_else_is_refused(operator: NewOperator) -> None:
    task = operator(plan_only="{{ params.plan }}")
    task.render_template_fields({"params": {"plan": "maybe"}})
    with pytest.raises(AirflowFailException, match="plan_only must be True, False or 'quick', not 'maybe'"):
        task.execute({"run_id": "run-1"})
