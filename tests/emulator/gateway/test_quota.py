from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.gateway.quota import Quota
from airflow_provider_permitocr.emulator.options import KeyPair
from airflow_provider_permitocr.permit.api import ACTION

if TYPE_CHECKING:
    from tests.emulator.conftest import Caller, FakeEngine, StoppedClock


def codes(quota: Quota, arrivals: list[float], account: str = "1") -> list[str]:
    answers = []
    for arrived in arrivals:
        try:
            quota.admit(ACTION, account, arrived)
            answers.append("OK")
        except ApiError as error:
            answers.append(error.code)
    return answers


def test_calls_above_the_limit_are_refused_until_the_next_whole_second() -> None:
    answers = codes(Quota({ACTION: 2}), [10.0, 10.5, 10.99, 11.0])
    assert answers == ["OK", "OK", "RequestLimitExceeded", "OK"]


def test_window_is_the_whole_second_not_the_last_1000_milliseconds() -> None:
    assert codes(Quota({ACTION: 2}), [10.8, 10.9, 11.0, 11.1]) == ["OK"] * 4


def test_refused_calls_count_on() -> None:
    quota = Quota({ACTION: 5})
    codes(quota, [10.0] * 6)
    with pytest.raises(ApiError, match="`7` in a second, which exceeds the frequency limit `5`"):
        quota.admit(ACTION, "1", 10.9)


def test_calls_that_are_noted_late_count_in_the_second_in_which_they_arrived() -> None:
    assert codes(Quota({ACTION: 1}), [11.0, 10.9]) == ["OK", "OK"]


def test_each_account_has_its_own_quota() -> None:
    quota = Quota({ACTION: 1})
    assert codes(quota, [10.0], "1") == codes(quota, [10.0], "2") == ["OK"]


def test_actions_without_a_limit_are_never_refused() -> None:
    assert codes(Quota({}), [10.0] * 1000) == ["OK"] * 1000


def test_counts_are_told_per_second() -> None:
    quota = Quota({ACTION: 1})
    codes(quota, [11.0, 10.0, 10.5])
    codes(quota, [10.0], "2")
    assert quota.per_second(ACTION) == {10: 3, 11: 1}
    assert quota.most_in_one_second(ACTION) == 2


def test_client_over_its_quota_is_throttled_and_served_again_a_second_later(
    start: Callable[..., Caller], clock: StoppedClock, engine: FakeEngine, png: bytes
) -> None:
    caller = start(quota=2, clock=clock)
    caller.recognize(png)
    caller.recognize(png)
    with pytest.raises(TencentCloudSDKException, match="`3`") as caught:
        caller.recognize(png)
    assert caught.value.get_code() == "RequestLimitExceeded"
    clock.now += 1
    caller.recognize(png)
    assert len(engine.asked) == 3


def test_two_pairs_of_one_account_share_its_quota(start: Callable[..., Caller], clock: StoppedClock) -> None:
    keys = (KeyPair("A", "a"), KeyPair("B", "b"), KeyPair("C", "c", account="another"))
    caller = start(quota=1, keys=keys, clock=clock)
    refused = []
    for pair in keys:
        with pytest.raises(TencentCloudSDKException) as caught:
            caller.sdk(pair.secret_id, pair.secret_key).call_json(ACTION, {})
        refused.append(caught.value.get_code())
    assert refused == ["MissingParameter", "RequestLimitExceeded", "MissingParameter"]


def test_badly_signed_calls_do_not_use_up_the_quota(
    start: Callable[..., Caller], clock: StoppedClock, png: bytes
) -> None:
    caller = start(quota=1, clock=clock)
    with pytest.raises(TencentCloudSDKException, match="signature"):
        caller.sdk(secret_key="wrong").call_json(ACTION, {})
    caller.recognize(png)


def test_quota_of_zero_means_none(start: Callable[..., Caller], clock: StoppedClock, png: bytes) -> None:
    caller = start(quota=0, clock=clock)
    for _ in range(30):
        caller.recognize(png)
    assert caller.emulator.stats()["most_in_one_second"] == 30
