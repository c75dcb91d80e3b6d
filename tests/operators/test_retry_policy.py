"""What has ended a task decides whether and when Airflow retries it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow import sdk
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_permitocr import Budget, Ledger, permit_ocr_retry_policy
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.errors import (
    AccountError,
    CallError,
    CapReachedError,
    ConfigurationError,
    Decision,
    PermitOcrError,
    ThrottledTooLongError,
    UnreachableError,
)
from airflow_provider_permitocr.wiring.task_retries import raise_in_airflow, until_midnight
from tests.operators.conftest import ImageList

needs_policies = pytest.mark.skipif(not hasattr(sdk, "RetryPolicy"), reason="Airflow 3.3 has retry policies")
ARREARS = AccountError(CallError("ResourceUnavailable.InArrears", "no money", Decision.ACCOUNT), "Recharge")
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def decided(error: BaseException) -> tuple[str, timedelta | None]:
    decision = permit_ocr_retry_policy(now=lambda: NOON).evaluate(error, 1, 3, None)
    return decision.action.value, decision.retry_delay


@needs_policies
@pytest.mark.parametrize(
    ("error", "action", "delay"),
    [
        (CapReachedError("", day_ends_in="UTC"), "retry", timedelta(hours=12, minutes=1)),
        (CapReachedError("", day_ends_in="Asia/Shanghai"), "retry", timedelta(hours=4, minutes=1)),
        (CapReachedError(""), "fail", None),
        (ARREARS, "fail", None),
        (ThrottledTooLongError(), "retry", timedelta(minutes=15)),
        (UnreachableError(), "default", None),
        (MemoryError(), "default", None),
    ],
)
def test_the_policy_decides_by_the_error(error: BaseException, action: str, delay: timedelta | None) -> None:
    assert decided(error) == (action, delay)


@pytest.mark.parametrize(
    ("moment", "hours"),
    [
        (datetime(2026, 3, 29, 0, tzinfo=UTC), 22),  # the clock is put forward that day
        (datetime(2026, 10, 25, 0, tzinfo=UTC), 23),  # and back
        (datetime(2026, 5, 1, 22, tzinfo=UTC), 24),  # midnight itself
    ],
)
def test_midnight_is_that_of_the_time_zone_also_where_a_clock_changes(moment: datetime, hours: int) -> None:
    assert until_midnight(moment, "Europe/Berlin") == timedelta(hours=hours)


@pytest.mark.parametrize("error", [ARREARS, CapReachedError("capped"), ConfigurationError("no table")])
def test_without_a_policy_what_a_retry_cannot_fix_is_not_retried(error: PermitOcrError) -> None:
    with pytest.raises(AirflowFailException, match=re.escape(str(error))):
        raise_in_airflow(error)


def test_without_a_policy_all_else_is_retried() -> None:
    with pytest.raises(AirflowException) as caught:
        raise_in_airflow(UnreachableError("the table is down"))
    assert not isinstance(caught.value, AirflowFailException)


def test_a_policy_sees_the_error_itself_but_for_what_is_wrong_in_the_dag() -> None:
    with pytest.raises(AccountError) as caught:
        raise_in_airflow(ARREARS, has_policy=True)
    assert caught.value is ARREARS
    with pytest.raises(AirflowFailException):
        raise_in_airflow(ConfigurationError("no table"), has_policy=True)


@needs_policies
def test_a_task_with_the_policy_hands_it_the_days_cap(
    try_task: Callable[..., Any], connected: RunningEmulator, image_list: ImageList
) -> None:
    image_list(3)
    with pytest.raises(CapReachedError) as caught:
        try_task(
            ledger=Ledger("permit_ocr", conn_id="warehouse"),
            budget=Budget(max_calls_per_day=1, on_exhausted="fail", timezone="Asia/Shanghai"),
            retry_policy=permit_ocr_retry_policy(),
            retries=1,
        )
    assert decided(caught.value) == ("retry", timedelta(hours=4, minutes=1))


def test_an_airflow_without_policies_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sdk, "RetryPolicy", raising=False)
    monkeypatch.setitem(sys.modules, "airflow.sdk.definitions.retry_policy", None)
    with pytest.raises(ImportError, match=r"needs Airflow 3\.3 or later"):
        permit_ocr_retry_policy()
