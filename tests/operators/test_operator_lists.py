"""Which list a task reads, by its ledger: two lists never touch, and what might pay twice is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_permitocr import ImageTable, Ledger, ResultTable
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from labs.ground.servers.postgres import EmbeddedPostgres
from tests.operators.conftest import ImageList

Try = Callable[..., dict[str, Any]]

LEDGER_TABLES = ("state", "counters", "lists", "runs", "calls", "answers", "images", "deliveries")


def change(warehouse: sa.Engine, *statements: str) -> None:
    with warehouse.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def source(table: str) -> ImageTable:
    return ImageTable(table, conn_id="warehouse", key="image_id", image="image")


@pytest.fixture
def two_lists(
    warehouse: sa.Engine, draw: Callable[..., Specimen], tmp_path: Path
) -> dict[str, list[Specimen]]:
    """Fill the tables ``first`` and ``second`` with the keys 0 to 9 each, and other images."""
    lists = {}
    for number, name in enumerate(("first", "second")):
        lists[name] = [draw(seed=10 * number + key) for key in range(10)]
        change(warehouse, f"CREATE TABLE {name} (image_id integer, image text)")
        for key, specimen in enumerate(lists[name]):
            path = tmp_path / f"{name} {key}.jpg"
            path.write_bytes(specimen.image)
            change(warehouse, f"INSERT INTO {name} VALUES ({key}, '{path}')")
    return lists


@pytest.mark.slow
@pytest.mark.parametrize("unknown_calls", ["repeat", "keep"])
def test_two_lists_with_the_same_keys_share_a_ledger_and_never_touch(
    try_task: Try,
    connected: RunningEmulator,
    warehouse: sa.Engine,
    two_lists: dict[str, list[Specimen]],
    unknown_calls: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    ledger = Ledger("permit_ocr", conn_id="warehouse", unknown_calls=unknown_calls)

    def run(name: str, run_id: str) -> dict[str, Any]:
        target = ResultTable(f"permits_{name}", conn_id="warehouse")
        return try_task(run_id, source=source(name), target=target, ledger=ledger)

    run("first", "run-1")
    # As a worker leaves them that died over calls for all images of the first list.
    change(
        warehouse,
        "UPDATE permit_ocr_images SET held_session = 'dead', held_until = now() + interval '1 hour',"
        " held_by = answer_id, attempt_status = NULL, status = NULL, answer_id = NULL",
        "UPDATE permit_ocr_calls SET code = NULL, billed = NULL, answered_at = NULL",
    )

    summary = run("second", "run-2")

    assert summary["statuses"] == {"recognized": 10}
    assert (summary["calls"], summary["elsewhere"]) == (10, 0)
    assert "held by another run" not in capfd.readouterr().out
    with warehouse.connect() as connection:
        for name, specimens in two_lists.items():
            rows = connection.execute(sa.text(f"SELECT image_key, number FROM permits_{name}"))
            found = {row.image_key: row.number for row in rows}
            assert found == {str(key): each.fields["Number"] for key, each in enumerate(specimens)}


@pytest.mark.slow
def test_a_full_table_and_an_empty_ledger_are_refused_before_the_first_call(
    try_task: Try, connected: RunningEmulator, image_list: ImageList, warehouse: sa.Engine
) -> None:
    image_list(3)
    try_task("run-1")
    change(warehouse, *(f"DROP TABLE permit_ocr_{name}" for name in LEDGER_TABLES))

    with pytest.raises(AirflowFailException, match=r"rows that this ledger never delivered.*adopt"):
        try_task("run-2")

    assert connected.stats()["calls"] == 3


@pytest.mark.whole_runs
def test_another_ledger_for_a_full_table_is_refused_before_the_first_call(
    try_task: Try, connected: RunningEmulator, image_list: ImageList
) -> None:
    image_list(3)
    try_task("run-1")

    with pytest.raises(AirflowFailException, match=r"rows that this ledger never delivered.*adopt"):
        try_task("run-2", ledger=Ledger("another", conn_id="warehouse"))

    assert connected.stats()["calls"] == 3


@pytest.fixture
def renamed_connection(
    postgres: EmbeddedPostgres, postgres_database: str, set_connection: Callable[..., None]
) -> str:
    """Another name of the connection ``warehouse``."""
    set_connection("lake", **postgres.airflow_connection(postgres_database))
    return "lake"


@pytest.mark.whole_runs
@pytest.mark.parametrize(
    ("table", "conn_id"),
    [
        pytest.param("documents", "warehouse", id="table"),
        pytest.param("permits", "lake", marks=pytest.mark.slow, id="connection"),
        pytest.param("documents", "lake", marks=pytest.mark.slow, id="both"),
    ],
)
@pytest.mark.usefixtures("renamed_connection")
def test_a_target_under_a_new_name_is_refused_before_the_first_call(
    try_task: Try,
    connected: RunningEmulator,
    image_list: ImageList,
    warehouse: sa.Engine,
    table: str,
    conn_id: str,
) -> None:
    image_list(3)
    try_task("run-1")
    if table != "permits":
        change(warehouse, f"ALTER TABLE permits RENAME TO {table}")

    with pytest.raises(AirflowFailException, match=r"list='warehouse:permits'.*adopt"):
        try_task("run-2", target=ResultTable(table, conn_id=conn_id))

    assert connected.stats()["calls"] == 3


@pytest.mark.whole_runs
@pytest.mark.usefixtures("renamed_connection")
def test_a_list_under_a_new_connection_is_refused_before_the_first_call(
    try_task: Try, connected: RunningEmulator, image_list: ImageList
) -> None:
    image_list(3)
    try_task("run-1")
    renamed = ImageTable("permit_images", conn_id="lake", key="image_id", image="image")

    with pytest.raises(AirflowFailException, match=r"'warehouse:permits' with another source.*adopt"):
        try_task("run-2", source=renamed)

    assert connected.stats()["calls"] == 3


@pytest.mark.whole_runs
@pytest.mark.usefixtures("two_lists")
def test_a_second_list_into_one_table_is_refused_before_the_first_call(
    try_task: Try, connected: RunningEmulator
) -> None:
    try_task("run-1", source=source("first"))

    with pytest.raises(AirflowFailException, match="overwrite each other's rows"):
        try_task("run-2", source=source("second"), list="second")

    assert connected.stats()["calls"] == 10


@pytest.mark.whole_runs
@pytest.mark.usefixtures("two_lists")
@pytest.mark.parametrize(
    "named",
    [
        pytest.param({}, id="default name"),
        pytest.param({"list": "second"}, marks=pytest.mark.slow, id="named"),
    ],
)
def test_a_second_list_into_one_table_under_another_spelling_is_refused_before_the_first_call(
    try_task: Try, connected: RunningEmulator, warehouse: sa.Engine, named: dict[str, str]
) -> None:
    try_task("run-1", source=source("first"))
    change(warehouse, "TRUNCATE permits")

    respelled = ResultTable("public.permits", conn_id="warehouse")
    with pytest.raises(AirflowFailException, match=r"'warehouse:public.permits' gets the list"):
        try_task("run-2", source=source("second"), target=respelled, **named)

    assert connected.stats()["calls"] == 10


@pytest.mark.whole_runs
def test_a_target_under_another_spelling_stays_the_list_s_own(
    try_task: Try, connected: RunningEmulator, image_list: ImageList, warehouse: sa.Engine
) -> None:
    image_list(3)
    try_task("run-1", list="permits")

    summary = try_task("run-2", list="permits", target=ResultTable("public.permits", conn_id="warehouse"))

    assert (summary["calls"], connected.stats()["calls"]) == (0, 3)
    with warehouse.connect() as connection:
        targets = connection.execute(sa.text("SELECT target FROM permit_ocr_deliveries")).scalars().all()
    assert targets == ["warehouse:public.permits"]


@pytest.mark.whole_runs
def test_a_target_that_moves_with_its_list_named_is_filled_without_a_call(
    try_task: Try, connected: RunningEmulator, image_list: ImageList, warehouse: sa.Engine
) -> None:
    image_list(3)
    try_task("run-1", list="permits")

    moved = ResultTable("documents", conn_id="warehouse")
    summary = try_task("run-2", list="permits", target=moved)

    assert summary["calls"] == 0
    with warehouse.connect() as connection:
        assert connection.execute(sa.text("SELECT count(number) FROM documents")).scalar_one() == 3
    assert connected.stats()["calls"] == 3


@pytest.mark.whole_runs
def test_a_ledger_that_is_older_than_its_target_is_refused_before_the_first_call(
    try_task: Try, connected: RunningEmulator, image_list: ImageList, warehouse: sa.Engine
) -> None:
    image_list(3)
    try_task("run-1")
    tables = [f"permit_ocr_{name}" for name in LEDGER_TABLES]
    change(warehouse, *(f"CREATE TABLE backup_{name} AS TABLE {name}" for name in tables))
    change(warehouse, "UPDATE permit_images SET uploaded_at = now() + interval '1 day'")
    try_task("run-2")
    for name in tables:
        change(warehouse, f"DELETE FROM {name}", f"INSERT INTO {name} TABLE backup_{name}")

    with pytest.raises(AirflowFailException, match=r"ahead of its ledger.*backup.*adopt"):
        try_task("run-3")

    assert connected.stats()["calls"] == 6


@pytest.mark.whole_runs
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        pytest.param("UPDATE permit_ocr_state SET shape = 99", "version", id="another version"),
        pytest.param(
            "ALTER TABLE permit_ocr_calls DROP COLUMN code",
            "code",
            marks=pytest.mark.slow,
            id="another shape",
        ),
        pytest.param(
            "ALTER TABLE permit_images ALTER COLUMN image_id TYPE bigint USING substr(image_id, 2)::bigint",
            "type",
            marks=pytest.mark.slow,
            id="keys of another type",
        ),
    ],
)
def test_a_ledger_that_is_none_of_this_list_is_refused_before_the_first_call(
    try_task: Try,
    connected: RunningEmulator,
    image_list: ImageList,
    warehouse: sa.Engine,
    statement: str,
    message: str,
) -> None:
    image_list(3)
    try_task("run-1")
    change(warehouse, statement)

    with pytest.raises(AirflowFailException, match=message):
        try_task("run-2")

    assert connected.stats()["calls"] == 3
