"""What OpenLineage is told of a run."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from airflow.providers.openlineage.extractors.base import DefaultExtractor
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException

from airflow_provider_permitocr import (
    FailureLimits,
    ImageQuery,
    PermitAnalyticsOperator,
    PermitErasureOperator,
    PermitReviewOperator,
    ResultFile,
    ResultTable,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.wiring.monitoring import lineage
from tests.operators.conftest import ImageList, NewOperator

RUN: Any = {"run_id": "run-1"}


def lineage_of(task: BaseOperator, *, failed: bool = False) -> Any:
    """Return what the OpenLineage provider extracts of a task that is over, as it would be sent."""
    extractor = DefaultExtractor(task)
    found = extractor.extract_on_failure(None) if failed else extractor.extract_on_complete(None)
    if found is None:
        return None
    return {
        "inputs": [attrs.asdict(each) for each in found.inputs],
        "outputs": [attrs.asdict(each) for each in found.outputs],
    }


@pytest.mark.whole_runs
def test_a_run_leads_from_its_list_to_its_targets(
    connected: RunningEmulator, image_list: ImageList, operator: NewOperator, tmp_path: Path
) -> None:
    (specimen, *_) = image_list(2)
    file = tmp_path / "permits.csv"
    task = operator(
        target=[ResultTable("permits", conn_id="warehouse"), ResultFile(str(file))], list="permits"
    )
    task.execute(RUN)

    told = lineage_of(task)

    (source,) = told["inputs"]
    table, stored = told["outputs"]
    assert source["namespace"] == table["namespace"]
    assert source["namespace"].startswith("postgres://127.0.0.1:")
    assert source["name"].endswith(".public.permit_images")
    assert table["name"].endswith(".public.permits")
    assert (stored["namespace"], stored["name"]) == ("file", str(file))
    for each in (table, stored):
        assert each["outputFacets"]["outputStatistics"]["rowCount"] == 2
        fields = {field["name"]: field["type"] for field in each["facets"]["schema"]["fields"]}
        assert fields == {column.name: column.kind.value for column in COLUMNS}
    sent = json.dumps(told)
    assert specimen.fields["Number"] not in sent
    assert "k000" not in sent


def test_a_run_that_fails_tells_what_it_has_written(
    connected: RunningEmulator, image_list: ImageList, operator: NewOperator
) -> None:
    image_list(2, [{"image_id": f"bad{n}", "image": "/nowhere.jpg"} for n in range(4)])
    task = operator(failure_limits=FailureLimits(stop_after=4), max_in_flight=1)
    with pytest.raises(AirflowException):
        task.execute(RUN)
    (table,) = lineage_of(task, failed=True)["outputs"]
    assert table["outputFacets"]["outputStatistics"]["rowCount"] >= 2


def test_a_query_names_no_input(
    connected: RunningEmulator, image_list: ImageList, operator: NewOperator
) -> None:
    image_list(1)
    query = ImageQuery(
        "SELECT image_id, image FROM permit_images", conn_id="warehouse", key="image_id", image="image"
    )
    task = operator(source=query)
    task.execute(RUN)
    told = lineage_of(task)
    assert (told["inputs"], len(told["outputs"])) == ([], 1)


@pytest.mark.whole_runs
def test_a_plan_has_no_lineage(
    connected: RunningEmulator, image_list: ImageList, operator: NewOperator
) -> None:
    image_list(1)
    task = operator(plan_only=True)
    task.execute(RUN)
    assert lineage_of(task) is None


def test_a_connection_that_is_gone_fails_no_run(
    connected: RunningEmulator,
    image_list: ImageList,
    operator: NewOperator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(*_: object) -> None:
        raise ConfigurationError("there is no connection 'warehouse'")

    image_list(1)
    monkeypatch.setattr(lineage, "datasets_of", missing)
    task = operator()
    assert task.execute(RUN)["calls"] == 1
    assert lineage_of(task) is None


def named(found: Any) -> tuple[list[str], dict[str, int]]:
    """Return the last parts of the names of inputs, and of outputs with their rows."""
    inputs = [each["name"].split(".", 1)[1] for each in found["inputs"]]
    return inputs, {
        each["name"].split(".", 1)[1]: each["outputFacets"]["outputStatistics"]["rowCount"]
        for each in found["outputs"]
    }


@pytest.mark.whole_runs
def test_a_rebuild_leads_from_list_and_ledger_to_the_result(
    connected: RunningEmulator, image_list: ImageList, operator: NewOperator
) -> None:
    image_list(2)
    operator().execute(RUN)
    task = operator(rebuild=True)
    task.execute(RUN)
    found = lineage_of(task)
    assert named(found) == (["public.permit_images", "public.permit_ocr_answers"], {"public.permits": 2})
    (table,) = found["outputs"]
    assert {field["name"] for field in table["facets"]["schema"]["fields"]} == {each.name for each in COLUMNS}


def test_a_rebuild_that_fails_before_it_begins_has_no_lineage(
    connected: RunningEmulator, image_list: ImageList, operator: NewOperator
) -> None:
    image_list(1)
    task = operator(rebuild=True)
    with pytest.raises(AirflowException):
        task.execute(RUN)
    assert lineage_of(task, failed=True) is None


@pytest.mark.whole_runs
def test_an_erasure_leads_from_the_ledger_to_the_rows_that_it_has_changed(
    connected: RunningEmulator, image_list: ImageList, operator: NewOperator
) -> None:
    image_list(2)
    operator().execute(RUN)
    task = PermitErasureOperator(task_id="erase", recognition=operator(), keys=["k000"])
    task.execute(RUN)
    inputs, outputs = named(lineage_of(task))
    assert ("public.permit_ocr_answers" in inputs, outputs) == (True, {"public.permits": 1})


@pytest.mark.whole_runs
def test_an_update_of_analytics_leads_from_result_and_ledger_to_its_tables(
    connected: RunningEmulator, image_list: ImageList, operator: NewOperator
) -> None:
    image_list(1)
    operator().execute(RUN)
    task = PermitAnalyticsOperator(task_id="analyze", result=ResultTable("permits", conn_id="warehouse"))
    task.execute(RUN)
    found = lineage_of(task)
    assert named(found) == (
        ["public.permits", "public.permit_ocr_calls"],
        {"public.permits_cost_by_day": 1, "public.permits_calls_by_hour": 1},
    )
    assert "cost_micros" in {field["name"] for field in found["outputs"][0]["facets"]["schema"]["fields"]}


@pytest.mark.whole_runs
def test_a_review_with_nothing_to_ask_has_the_lineage_of_what_it_has_delivered(
    connected: RunningEmulator, image_list: ImageList, operator: NewOperator
) -> None:
    image_list(1)
    operator().execute(RUN)
    task = PermitReviewOperator(task_id="review", recognition=operator(), flags=["image_small"])
    instance = SimpleNamespace(dag_id="permits", task_id="review", map_index=-1, try_number=1)
    context: Any = {"run_id": "run-1", "ti": instance}
    assert task.execute(context)["asked"] == 0
    inputs, outputs = named(lineage_of(task))
    assert ("public.permit_ocr_answers" in inputs, outputs) == (True, {"public.permits": 0})
