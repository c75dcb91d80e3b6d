"""What a task pushes for its page: counts while it runs, sums at its end, and no one's data."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_permitocr import Budget, Ledger, MainlandPermitOcrOperator
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.plugins.page_link import PageLink

pytestmark = pytest.mark.whole_runs

ImageList = Callable[..., list[Specimen]]
NewOperator = Callable[..., MainlandPermitOcrOperator]


class Instance(SimpleNamespace):
    """A task instance that keeps what is pushed."""

    def __init__(self, failing: Exception | None = None) -> None:
        super().__init__(dag_id="permits", task_id="recognize", run_id="run-1", map_index=-1, try_number=2)
        self.failing = failing
        self.pushed: list[tuple[str, Any]] = []
        self.threads: set[str] = set()

    def xcom_push(self, key: str, value: Any) -> None:
        self.threads.add(threading.current_thread().name)
        if self.failing:
            raise self.failing
        # As Airflow does: what is no JSON is refused.
        self.pushed.append((key, json.loads(json.dumps(value))))


def run(operator: MainlandPermitOcrOperator, instance: Instance, store: Store | None = None) -> Any:
    context: Any = {"run_id": "run-1", "ti": instance}
    return operator.execute(context if store is None else context | {"task_state_store": store})


def test_a_task_pushes_its_progress_and_what_the_ledger_adds_up(
    operator: NewOperator, connected: RunningEmulator, image_list: ImageList
) -> None:
    specimens = image_list(5, [{"image_id": "gone", "image": "/no/such/file.png"}])
    instance = Instance()
    budget = Budget(price_per_call="0.02", currency="USD", max_calls_per_day=100)
    run(operator(budget=budget, ledger=Ledger("permit_ocr", conn_id="warehouse")), instance)
    assert {key for key, _ in instance.pushed} == {"permitocr_progress"}
    last = instance.pushed[-1][1]
    assert (last["state"], last["done"], last["total"], last["try_number"]) == ("done", 6, 6, 2)
    assert last["statuses"] == {"recognized": 5, "retry": 1}
    assert last["error_codes"] == {"ImageNotFound": 1}
    assert last["targets"][0]["delivered"] == 6
    assert last["targets"][0]["table"] == "permits"
    assert last["caps"] == {"run": None, "day": 100, "reached": None}
    assert last["sums"]["cost_today"] == {"USD": "0.10"}
    assert (last["sums"]["calls_today"], last["sums"]["left_over"]) == (5, 1)
    said = json.dumps(instance.pushed)
    for specimen in specimens:
        assert specimen.fields["Number"] not in said
        assert specimen.fields["Name"] not in said
    assert "k000" not in said
    assert "/no/such" not in said


def test_progress_is_pushed_beside_the_run_and_not_by_it(
    operator: NewOperator, connected: RunningEmulator, image_list: ImageList
) -> None:
    image_list(1)
    instance = Instance()
    run(operator(), instance)
    assert instance.threads == {"permitocr-progress"}


def test_a_task_whose_progress_cannot_be_pushed_succeeds(
    operator: NewOperator,
    connected: RunningEmulator,
    image_list: ImageList,
    caplog: pytest.LogCaptureFixture,
) -> None:
    image_list(2)
    summary = run(operator(), Instance(failing=ConnectionError("no way")))
    assert summary["statuses"] == {"recognized": 2}


class Store(dict[str, Any]):
    """A task's state store, as Airflow 3.3 has it."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))


def test_the_last_record_of_a_try_that_failed_outlives_it(
    operator: NewOperator, connected: RunningEmulator, image_list: ImageList
) -> None:
    image_list(5)
    instance, store = Instance(), Store()
    budget = Budget(max_calls_per_day=2, on_exhausted="fail")
    capped = operator(budget=budget, ledger=Ledger("permit_ocr", conn_id="warehouse"))
    with pytest.raises(AirflowFailException):
        run(capped, instance, store)
    assert store["permitocr_progress"] == instance.pushed[-1][1]
    assert store["permitocr_progress"]["caps"]["reached"] == "day"


def test_a_try_that_succeeds_leaves_nothing_in_the_state_store(
    operator: NewOperator, connected: RunningEmulator, image_list: ImageList
) -> None:
    image_list(1)
    store = Store()
    run(operator(), Instance(), store)
    assert store == {}


def test_a_task_that_only_plans_or_rebuilds_pushes_nothing(
    operator: NewOperator, connected: RunningEmulator, image_list: ImageList
) -> None:
    image_list(1)
    run(operator(), Instance())
    for arguments in ({"plan_only": True}, {"rebuild": True}):
        instance = Instance()
        run(operator(**arguments), instance)
        assert instance.pushed == []


def test_a_subclass_has_the_button_while_it_runs_which_airflow_looks_up_in_xcom(
    connected: RunningEmulator, image_list: ImageList, operator: NewOperator
) -> None:
    class Branch(MainlandPermitOcrOperator):
        pass

    image_list(1)
    task = operator()
    task.__class__ = Branch
    instance = Instance()
    run(task, instance)
    first_key, link = instance.pushed[0]
    assert first_key == PageLink().xcom_key
    assert link.endswith("/permitocr/open?dag_id=permits&run_id=run-1&task_id=recognize&map_index=-1")
