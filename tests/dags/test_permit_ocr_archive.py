from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import ParamValidationError

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.options.lists.shard import Shard

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


@pytest.mark.parametrize("given", [["gone"], ["retry"], ["recognized", ""], "failed", [1]])
def test_the_form_refuses_what_redo_would_refuse_in_the_run(dags: DagBag, given: object) -> None:
    form = dags.dags["permit_ocr_archive"].params.get_param("redo")
    assert form.resolve(["recognized", "rejected", "failed"]) == ["recognized", "rejected", "failed"]
    with pytest.raises(ParamValidationError, match=r"is not one of|is not of type"):
        form.resolve(given)


@pytest.mark.slow
def test_four_shards_recognize_each_image_once_and_are_labelled(
    dags: DagBag,
    images: dict[str, Specimen],
    warehouse: sa.Engine,
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
) -> None:
    connect_emulator(emulator)

    done = dags.dags["permit_ocr_archive"].test(logical_date=datetime(2026, 5, 1, tzinfo=UTC))

    assert done.state == "success"
    with warehouse.connect() as connection:
        rows = connection.execute(sa.text("SELECT image_key, number FROM permits")).all()
        billed = connection.execute(sa.text("SELECT sum(billed) FROM permit_ocr_calls")).scalar_one()
    assert {row.image_key: row.number for row in rows} == {
        key: specimen.fields["Number"] for key, specimen in images.items()
    }
    assert emulator.stats()["calls"] == billed == len(images)
    tasks = sorted(done.get_task_instances(), key=lambda each: each.map_index)
    assert [each.rendered_map_index for each in tasks] == [f"shard {number}/4" for number in (1, 2, 3, 4)]
    for task in tasks:
        summary = task.xcom_pull(task_ids=task.task_id, map_indexes=task.map_index)
        own = [key for key in images if Shard(task.map_index + 1, 4).holds(key)]
        assert summary["listed"] == summary["calls"] == len(own)
