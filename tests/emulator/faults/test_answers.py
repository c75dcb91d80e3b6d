from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

if TYPE_CHECKING:
    from tests.emulator.conftest import Caller, FakeEngine

Scripted = Callable[..., "Caller"]


@pytest.fixture
def scripted(start: Callable[..., Caller], tmp_path: Path) -> Scripted:
    def start_with(effect: dict[str, Any], **options: Any) -> Caller:
        file = tmp_path / "faults.json"
        rule = {"name": "scripted", "match": {"calls": [1]}, "effect": effect}
        file.write_text(json.dumps({"rules": [rule]}), encoding="utf-8")
        return start(faults=file, **options)

    return start_with


def body(image: bytes) -> bytes:
    return json.dumps({"ImageBase64": base64.b64encode(image).decode()}).encode()


def seen(caller: Caller) -> tuple[str | None, bool, str | None]:
    record = caller.emulator.records()[0]
    return record.code, record.answered, record.fault


def test_scripted_error_takes_the_place_of_the_work(
    scripted: Scripted, engine: FakeEngine, png: bytes
) -> None:
    caller = scripted({"error": "ResourceUnavailable.InArrears", "message": "Pay first."})
    with pytest.raises(TencentCloudSDKException, match="Pay first") as caught:
        caller.recognize(png)
    assert caught.value.get_code() == "ResourceUnavailable.InArrears"
    assert engine.asked == []
    assert seen(caller) == ("ResourceUnavailable.InArrears", False, "scripted")
    assert caller.recognize(png)["Name"] == "李优图"


def test_scripted_error_after_the_work_counts_as_answered(
    scripted: Scripted, engine: FakeEngine, png: bytes
) -> None:
    caller = scripted({"error": "InternalError", "after_work": True})
    with pytest.raises(TencentCloudSDKException):
        caller.recognize(png)
    assert len(engine.asked) == 1
    assert seen(caller) == ("InternalError", True, "scripted")


def test_http_status_comes_with_a_page_that_is_no_json(scripted: Scripted, png: bytes) -> None:
    caller = scripted({"http_status": 502})
    response = caller.post(body(png))
    assert (response.status_code, response.headers["Content-Type"]) == (502, "text/html")
    assert "Bad Gateway" in response.text
    assert seen(caller) == (None, False, "scripted")


def test_http_status_reaches_the_official_client(scripted: Scripted, png: bytes) -> None:
    with pytest.raises(TencentCloudSDKException) as caught:
        scripted({"http_status": 413}).recognize(png)
    assert caught.value.get_code() == "ServerNetworkError"


_DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize("retry_after", [0, 7, _DATE])
@pytest.mark.parametrize(
    "effect", [{"http_status": 429}, {"http_status": 503}, {"error": "RequestLimitExceeded"}], ids=str
)
def test_wish_to_wait_is_sent_along(
    scripted: Scripted, png: bytes, effect: dict[str, Any], retry_after: int | str
) -> None:
    caller = scripted({**effect, "retry_after": retry_after})
    assert caller.post(body(png)).headers["Retry-After"] == str(retry_after)


def test_malformed_body_is_no_json(scripted: Scripted, png: bytes) -> None:
    caller = scripted({"body": "malformed"})
    response = caller.post(body(png))
    assert response.status_code == 200
    with pytest.raises(ValueError, match=r".+"):
        response.json()
    assert seen(caller) == ("OK", True, "scripted")


def test_truncated_body_ends_before_its_announced_length(scripted: Scripted, png: bytes) -> None:
    caller = scripted({"body": "truncated"})
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        caller.post(body(png))
    assert seen(caller) == ("OK", True, "scripted")
    assert caller.recognize(png)["Name"] == "李优图"


def test_wrong_content_type_is_sent(scripted: Scripted, png: bytes) -> None:
    response = scripted({"content_type": "text/html"}).post(body(png))
    assert response.headers["Content-Type"] == "text/html"
    assert json.loads(response.content)["Response"]["Name"] == "李优图"


@pytest.mark.parametrize("after_work", [False, True])
def test_dropped_connection_gives_no_answer(scripted: Scripted, png: bytes, after_work: bool) -> None:
    caller = scripted({"drop": True, "after_work": after_work})
    with pytest.raises(requests.exceptions.ConnectionError):
        caller.post(body(png))
    assert seen(caller) == (None, after_work, "scripted")
    assert caller.emulator.stats()["by_code"] == {"no answer": 1}
    assert caller.recognize(png)["Name"] == "李优图"


def test_delay_holds_back_the_true_answer(scripted: Scripted, png: bytes) -> None:
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    caller = scripted({"delay": 30}, sleep=sleep)
    assert caller.recognize(png)["Name"] == "李优图"
    assert slept == [30]


def test_delay_holds_back_a_refusal_of_the_work_too(scripted: Scripted, gif: bytes) -> None:
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    caller = scripted({"delay": 30}, sleep=sleep)
    with pytest.raises(TencentCloudSDKException):
        caller.recognize(gif)
    assert slept == [30]
    assert seen(caller) == ("FailedOperation.ImageDecodeFailed", False, "scripted")


def test_refusal_that_a_dropped_connection_hides_is_no_answer(scripted: Scripted, gif: bytes) -> None:
    caller = scripted({"drop": True, "after_work": True})
    with pytest.raises(requests.exceptions.ConnectionError):
        caller.post(body(gif))
    assert seen(caller) == (None, False, "scripted")
