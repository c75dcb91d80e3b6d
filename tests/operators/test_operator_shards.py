from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
import sqlalchemy as sa
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_permitocr import ImageTable, MainlandPermitOcrOperator, ResultTable, shards
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.options.lists.shard import Shard

pytestmark = pytest.mark.slow

ImageList = Callable[..., list[Specimen]]
Permits = Callable[[], dict[tuple[str, str], dict[str, Any]]]
NewOperator = Callable[..., MainlandPermitOcrOperator]
Execute = Callable[..., dict[str, Any]]


def test_the_shards_of_a_list_do_all_of_it_and_nothing_twice(
    execute: Execute, image_list: ImageList, permits: Permits, connected: RunningEmulator
) -> None:
    image_list(12)

    summaries = [execute(shard=shard) for shard in shards(3)]

    assert sorted(key for key, _ in permits()) == [f"k{number:03}" for number in range(12)]
    assert [each["listed"] for each in summaries] == [each["calls"] for each in summaries]
    assert sum(each["listed"] for each in summaries) == connected.stats()["calls"] == 12


def test_a_shard_run_again_alone_calls_for_its_own_rows_alone(
    execute: Execute,
    image_list: ImageList,
    permits: Permits,
    warehouse: sa.Engine,
    connected: RunningEmulator,
) -> None:
    image_list(12)
    for shard in shards(3):
        execute(shard=shard)
    with warehouse.begin() as connection:
        connection.execute(sa.text("UPDATE permit_images SET uploaded_at = now() + interval '1 day'"))

    again = execute("run-2", shard="2/3")

    own = [f"k{number:03}" for number in range(12) if Shard(2, 3).holds(f"k{number:03}")]
    assert sorted(key for (key, _), row in permits().items() if row["run_id"] == "run-2") == own
    assert again["calls"] == len(own)


def test_a_shard_fills_a_table_that_was_emptied_with_the_rows_of_all_shards(
    execute: Execute,
    image_list: ImageList,
    permits: Permits,
    warehouse: sa.Engine,
    connected: RunningEmulator,
) -> None:
    image_list(12)
    for shard in shards(3):
        execute(shard=shard)
    with warehouse.begin() as connection:
        connection.execute(sa.text("DELETE FROM permits"))

    again = execute(shard="2/3")

    assert sorted(key for key, _ in permits()) == [f"k{number:03}" for number in range(12)]
    assert (again["calls"], connected.stats()["calls"]) == (0, 12)


def test_a_settled_shard_makes_no_call(
    execute: Execute, image_list: ImageList, connected: RunningEmulator
) -> None:
    image_list(12)
    done = execute(shard="1/2")

    again = execute(shard="1/2")

    assert (again["calls"], again["listed"], again["skipped"]) == (0, done["listed"], done["listed"])


@pytest.mark.parametrize("shard", ["5/4", "0/4", "four"])
def test_a_shard_that_there_is_not_is_refused_when_the_dag_is_parsed(
    operator: NewOperator, shard: str
) -> None:
    with pytest.raises(ValueError, match="shard"):
        operator(shard=shard)


def test_a_rendered_shard_that_there_is_not_fails_the_task_at_once(
    operator: NewOperator, image_list: ImageList, connected: RunningEmulator
) -> None:
    image_list(1)
    task = operator(shard="{{ params.number }}/4")
    task.render_template_fields({"params": {"number": 5}})

    with pytest.raises(AirflowFailException, match="no shard 5/4"):
        task.execute({"run_id": "run-1"})

    assert connected.stats()["calls"] == 0


@pytest.mark.parametrize(
    ("given", "shard", "name"),
    [
        ({}, "2/4", "shard 2/4"),
        ({}, None, "3"),
        ({"map_index_template": "part {{ ti.map_index }}"}, "2/4", "part 3"),
    ],
)
def test_the_ui_names_mapped_tasks_by_their_shards_unless_told_otherwise(
    given: dict[str, str], shard: str | None, name: str
) -> None:
    source = ImageTable("permit_images", conn_id="lake", key="image_id", image="image")
    with DAG("permits"):
        mapped = MainlandPermitOcrOperator.partial(
            task_id="recognize", source=source, target=ResultTable("permits", conn_id="lake"), **given
        ).expand(shard=shards(4))
    context = {"task": SimpleNamespace(shard=shard), "ti": SimpleNamespace(map_index=3)}
    assert jinja2.Template(mapped.map_index_template).render(context) == name
