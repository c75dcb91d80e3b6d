from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from airflow_provider_permitocr.emulator.faults.latency import Latency

if TYPE_CHECKING:
    from tests.emulator.conftest import Caller, StoppedClock


def drawn(text: str, seed: int = 1, count: int = 2000) -> list[float]:
    sample = Latency.parse(text).sampler(seed)
    return [sample() for _ in range(count)]


def test_plain_number_is_a_fixed_time() -> None:
    assert set(drawn("0.4")) == {0.4}
    assert Latency.parse("constant:0.4") == Latency.parse("0.4")


def test_uniform_stays_within_its_bounds() -> None:
    values = drawn("uniform:0.2:0.6")
    assert min(values) >= 0.2
    assert max(values) <= 0.6
    assert statistics.mean(values) == pytest.approx(0.4, abs=0.02)


def test_lognormal_has_its_median_and_never_exceeds_its_longest_time() -> None:
    values = drawn("lognormal:0.4:0.5:1")
    assert statistics.median(values) == pytest.approx(0.4, abs=0.03)
    assert max(values) == 1


def test_equal_seeds_draw_equal_series() -> None:
    assert drawn("lognormal:0.4:0.5:3", seed=7) == drawn("lognormal:0.4:0.5:3", seed=7)
    assert drawn("lognormal:0.4:0.5:3", seed=7) != drawn("lognormal:0.4:0.5:3", seed=8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "give seconds"),
        ("fast", "give seconds"),
        ("normal:1:2", "is not one of"),
        ("uniform:1", "takes low:high"),
        ("uniform:2:1", "low not above high"),
        ("lognormal:2:0.5:1", "0 < median <= max"),
        ("-1", "finite numbers"),
        ("nan", "finite numbers"),
        ("inf", "finite numbers"),
    ],
)
def test_latency_that_makes_no_sense_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Latency.parse(text)


def test_answers_are_held_back_for_the_rest_of_the_latency_but_throttled_ones_are_not(
    start: Callable[..., Caller], clock: StoppedClock, png: bytes, gif: bytes
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    caller = start(latency=Latency.parse("600"), quota=2, clock=clock, sleep=sleep)
    caller.recognize(png)
    for image, code in itertools.product(
        [gif], ["FailedOperation.ImageDecodeFailed", "RequestLimitExceeded"]
    ):
        with pytest.raises(TencentCloudSDKException) as caught:
            caller.recognize(image)
        assert caught.value.get_code() == code
    assert len(slept) == 2
    assert all(540 < seconds < 600 for seconds in slept)
