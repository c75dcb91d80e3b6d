"""Two tasks of one DAG that call in two accounts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_permitocr import Budget, Ledger, ResultTable
from airflow_provider_permitocr.emulator.options import KeyPair
from airflow_provider_permitocr.emulator.running import RunningEmulator
from tests.operators.conftest import ImageList, NewOperator

ACCOUNTS = {"first": "100000000001", "second": "100000000002"}

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def emulator(
    start_label_emulator: Callable[..., RunningEmulator], set_connection: Callable[..., None]
) -> RunningEmulator:
    """An emulator with an account for each of the connections ``first`` and ``second``."""
    pairs = tuple(KeyPair(f"AKID{name}", f"{name}-key", account=uin) for name, uin in ACCOUNTS.items())
    emulator = start_label_emulator(keys=pairs)
    for name in ACCOUNTS:
        set_connection(
            name,
            conn_type="tencentcloud",
            login=f"AKID{name}",
            password=f"{name}-key",
            host=f"http://{emulator.endpoint}",
        )
    return emulator


@pytest.fixture
def run(operator: NewOperator) -> Run:
    """Execute a task of the DAG ``permits`` with a connection; arguments of the operator by name."""

    def execute(conn_id: str, task_id: str = "", **arguments: Any) -> dict[str, Any]:
        instance = SimpleNamespace(dag_id="permits", task_id=task_id or conn_id, map_index=-1, try_number=1)
        task = operator(
            task_id=task_id or conn_id,
            tencentcloud_conn_id=conn_id,
            ledger=Ledger("permit_ocr", conn_id="warehouse"),
            **arguments,
        )
        return task.execute({"run_id": "run-1", "ti": instance})  # type: ignore[typeddict-item]

    return execute


def called(emulator: RunningEmulator) -> dict[str | None, int]:
    records = [each for each in emulator.records() if each.action == "MainlandPermitOCR"]
    accounts = {each.account for each in records}
    return {account: sum(each.account == account for each in records) for account in accounts}


def calls_by_account(warehouse: sa.Engine) -> dict[str, int]:
    statement = "SELECT account, count(*) FROM permit_ocr_calls GROUP BY account"
    with warehouse.connect() as connection:
        return dict(connection.execute(sa.text(statement)).tuples().all())


@pytest.mark.whole_runs
def test_tasks_side_by_side_call_and_count_each_in_their_own_account(
    emulator: RunningEmulator, run: Run, image_list: ImageList, warehouse: sa.Engine
) -> None:
    image_list(6)
    targets = {name: ResultTable(f"permits_{name}", conn_id="warehouse") for name in ACCOUNTS}
    budget = Budget(max_calls_per_day=4)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda name: run(name, list=name, target=targets[name], budget=budget), ACCOUNTS))

    # A cap is of one account: four calls each, though both tasks count in one ledger.
    assert called(emulator) == dict.fromkeys(ACCOUNTS.values(), 4)
    assert calls_by_account(warehouse) == dict.fromkeys(ACCOUNTS.values(), 4)


@pytest.mark.whole_runs
def test_a_second_account_needs_a_list_of_its_own_to_pay_again(
    emulator: RunningEmulator, run: Run, image_list: ImageList
) -> None:
    image_list(3)
    run("first")
    other = ResultTable("permits_second", conn_id="warehouse")
    with pytest.raises(AirflowFailException, match="give another list= to start a second list"):
        run("second", target=other)
    assert called(emulator) == {ACCOUNTS["first"]: 3}
    run("second", list="second", target=other)
    assert called(emulator) == dict.fromkeys(ACCOUNTS.values(), 3)


def test_a_list_that_two_accounts_read_is_paid_for_once(
    emulator: RunningEmulator, run: Run, image_list: ImageList, warehouse: sa.Engine
) -> None:
    image_list(3)
    run("first", task_id="recognize")
    run("second", task_id="again")
    assert called(emulator) == {ACCOUNTS["first"]: 3}
    assert calls_by_account(warehouse) == {ACCOUNTS["first"]: 3}
