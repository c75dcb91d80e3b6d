"""Images that are recognized anew though they are settled, at the price of a call each, once."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_permitocr import Budget, Ledger, Redo
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen

ImageList = Callable[..., list[Specimen]]
TryTask = Callable[..., dict[str, Any]]
Permits = Callable[[], dict[tuple[str, str], dict[str, Any]]]

LEDGER = Ledger("permit_ocr", conn_id="warehouse")


@pytest.mark.slow
def test_images_are_redone_once_for_all_tries_of_a_dag_run(
    try_task: TryTask, image_list: ImageList, connected: RunningEmulator, permits: Permits
) -> None:
    image_list(3)
    try_task("run-1")
    before = permits()
    redo = Redo(keys=["k001"])
    assert try_task("run-2", redo=redo)["calls"] == 1
    assert try_task("run-2", try_number=2, redo=redo)["calls"] == 0
    after = permits()
    changed = [
        key for key, _ in before if before[key, "FRONT"]["request_id"] != after[key, "FRONT"]["request_id"]
    ]
    assert changed == ["k001"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redo", "calls"),
    [
        (Redo(statuses=["recognized"]), 2),
        (Redo(statuses="rejected"), 0),
        (Redo(error_codes=["ClientImageTooSmall"]), 0),
        (Redo(before="2100-01-01"), 2),
        (Redo(before="2020-01-01"), 0),
        (Redo(statuses=["recognized"], keys=["k000"]), 1),
        (Redo(keys="k000, k001"), 2),
        (Redo(keys=[]), 0),
    ],
    ids=repr,
)
def test_an_image_is_redone_that_meets_all_that_is_said(
    try_task: TryTask, image_list: ImageList, connected: RunningEmulator, redo: Redo, calls: int
) -> None:
    image_list(2, [{"image_id": "gif", "image": "data:image/gif;base64,R0lGODlhAQABAAAAACw="}])
    try_task("run-1")
    assert try_task("run-2", redo=redo)["calls"] == calls
    assert try_task("run-2", try_number=2, redo=redo)["calls"] == 0  # whatever before says


@pytest.mark.whole_runs
def test_the_old_answer_stays_while_the_image_cannot_be_read_and_it_is_redone_later(
    try_task: TryTask,
    image_list: ImageList,
    connected: RunningEmulator,
    permits: Permits,
    warehouse: sa.Engine,
) -> None:
    image_list(1)
    try_task("run-1")
    number = permits()["k000", "FRONT"]["number"]

    def point_to(image: str) -> str:
        with warehouse.begin() as connection:
            before = connection.execute(sa.text("SELECT image FROM permit_images")).scalar_one()
            connection.execute(sa.text("UPDATE permit_images SET image = :image"), {"image": image})
            return str(before)

    where = point_to("/no/such/file.png")
    assert try_task("run-2", redo=Redo(keys=["k000"]))["calls"] == 0
    row = permits()["k000", "FRONT"]
    assert (row["status"], row["number"], row["attempt_status"]) == ("recognized", number, "redo")
    point_to(where)
    assert try_task("run-3")["calls"] == 1
    assert permits()["k000", "FRONT"]["attempt_status"] == "recognized"


@pytest.mark.whole_runs
def test_a_copy_that_is_redone_takes_no_answer_of_the_same_picture(
    try_task: TryTask, image_list: ImageList, connected: RunningEmulator, permits: Permits, tmp_path: Any
) -> None:
    image_list(1, [{"image_id": "copy", "image": str(tmp_path / "0.jpg")}])
    assert try_task("run-1", reuse_identical=True, max_in_flight=1)["calls"] == 1
    copy = next(key for key, row in permits().items() if row["reused_from"])
    assert try_task("run-2", reuse_identical=True, redo=Redo(keys=[copy[0]]))["calls"] == 1
    assert permits()[copy]["reused_from"] is None


@pytest.mark.whole_runs
def test_what_is_redone_counts_in_the_caps_and_the_rest_is_redone_by_the_next_run(
    try_task: TryTask, image_list: ImageList, connected: RunningEmulator
) -> None:
    image_list(4)
    try_task("run-1", ledger=LEDGER)
    redo = Redo(statuses=["recognized"])
    capped = try_task("run-2", redo=redo, ledger=LEDGER, budget=Budget(max_calls=3))
    assert (capped["calls"], try_task("run-3", ledger=LEDGER)["calls"]) == (3, 1)


@pytest.mark.whole_runs
def test_in_a_schedule_it_has_to_be_said_which_calls_are_too_old(
    operator: Callable[..., Any], image_list: ImageList, connected: RunningEmulator
) -> None:
    image_list(1)
    daily = SimpleNamespace(dag=DAG("permits", schedule="@daily"))
    by_hand = SimpleNamespace(dag=DAG("permits_by_hand", schedule=None))
    task = operator(redo=Redo(statuses=["recognized"]))
    with pytest.raises(AirflowFailException, match=r"each run.*Redo\(\.\.\., before="):
        task.execute({"run_id": "run-1", "dag": daily.dag})
    assert connected.stats()["calls"] == 0
    operator(redo=Redo(statuses=["recognized"], before="2020-01-01")).execute(
        {"run_id": "run-2", "dag": daily.dag}
    )
    task.execute({"run_id": "run-3", "dag": by_hand.dag})
    assert connected.stats()["calls"] == 2


def test_templates_inside_are_rendered_into_a_copy(operator: Callable[..., Any]) -> None:
    redo = Redo(keys="{{ params.images }}", before="{{ params.before }}")
    task = operator(redo=redo)
    task.render_template_fields({"params": {"images": "a, b", "before": "2026-05-01"}})
    assert task.redo == Redo(keys=["a", "b"], before="2026-05-01")
    assert redo.keys == "{{ params.images }}"


def test_a_template_that_renders_to_nothing_is_met_by_no_image(operator: Callable[..., Any]) -> None:
    dag = DAG("permits", schedule=None, render_template_as_native_obj=True)
    task = operator(redo=Redo(keys="{{ params.images }}", statuses=["recognized"]), dag=dag)
    task.render_template_fields({"params": {"images": None}}, task.get_template_env(dag))
    assert task.redo.is_met_by_none


def test_a_redo_of_nothing_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(ValueError, match="select images by"):
        Redo()


@pytest.mark.slow
def test_shards_mark_what_costs_nothing_once(
    try_task: TryTask, image_list: ImageList, connected: RunningEmulator, standings: Permits
) -> None:
    image_list(
        0, [{"image_id": f"k{n}", "image": "data:image/gif;base64,R0lGODlhAQABAAAAACw="} for n in range(6)]
    )
    try_task("run-1")
    for number in (1, 2):
        try_task("run-2", shard=f"{number}/2", map_index=number, redo=Redo(statuses=["rejected"]))
    assert {row["attempt_status"] for row in standings().values()} == {"rejected"}
