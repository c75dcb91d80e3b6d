from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from airflow_provider_permitocr.permit.api import ACTION

if TYPE_CHECKING:
    from tests.emulator.conftest import Caller, StoppedClock


def test_file_has_a_line_per_call(
    start: Callable[..., Caller], png: bytes, gif: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "journal.jsonl"
    caller = start(journal=file)
    request_id = caller.recognize(png)["RequestId"]
    with pytest.raises(TencentCloudSDKException) as caught:
        caller.recognize(gif)
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [(line["request_id"], line["image"], line["code"], line["answered"]) for line in lines] == [
        (request_id, hashlib.sha256(png).hexdigest(), "OK", True),
        (
            caught.value.get_request_id(),
            hashlib.sha256(gif).hexdigest(),
            "FailedOperation.ImageDecodeFailed",
            False,
        ),
    ]
    assert {(line["action"], line["site"]) for line in lines} == {(ACTION, "intl")}


def test_file_holds_neither_fields_nor_images_nor_secrets(
    start: Callable[..., Caller], png: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "journal.jsonl"
    caller = start(journal=file)
    caller.recognize(png)
    caller.sdk(service="sts", version="2018-08-13").call_json(
        "AssumeRole", {"RoleArn": "qcs::cam::uin/1:roleName/reader", "RoleSessionName": "session"}
    )
    for line in file.read_text(encoding="utf-8").splitlines():
        names = {
            "time",
            "action",
            "request_id",
            "site",
            "account",
            "image",
            "code",
            "answered",
            "billed",
            "fault",
            "seconds",
            "trace_id",
        }
        assert set(json.loads(line)) == names


def test_file_is_appended_to(start: Callable[..., Caller], png: bytes, tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    for _ in range(2):
        caller = start(journal=file)
        caller.recognize(png)
        caller.emulator.stop()
    assert len(file.read_text(encoding="utf-8").splitlines()) == 2


def test_stats_sum_up_the_calls(
    start: Callable[..., Caller], clock: StoppedClock, png: bytes, jpeg: bytes, gif: bytes
) -> None:
    caller = start(quota=4, clock=clock)
    caller.recognize(png)
    caller.recognize(png)
    caller.recognize(jpeg)
    for image in (gif, gif):
        with pytest.raises(TencentCloudSDKException):
            caller.recognize(image)
    with pytest.raises(TencentCloudSDKException):
        caller.sdk(secret_key="wrong").call_json(ACTION, {})
    digests = [hashlib.sha256(image).hexdigest() for image in (png, jpeg, gif)]
    stats = requests.get(f"{caller.emulator.url}/_emulator/stats", timeout=10).json()
    assert stats == {
        "calls": 6,
        "answered": 3,
        "billed": 3,
        "answered_per_second": {str(int(clock.now)): 3},
        "throttled": 1,
        "most_in_one_second": 5,
        "per_second": {str(int(clock.now)): 5},
        "by_code": {
            "OK": 3,
            "FailedOperation.ImageDecodeFailed": 1,
            "RequestLimitExceeded": 1,
            "AuthFailure.SignatureFailure": 1,
        },
        "by_action": {ACTION: 6},
        "by_fault": {},
        "calls_per_image": dict(zip(digests, [2, 1, 1], strict=True)),
        "answered_per_image": dict(zip(digests, [2, 1, 0], strict=True)),
    }


def test_calls_of_other_services_only_show_by_action(caller: Caller, png: bytes) -> None:
    caller.sdk(service="sts", version="2018-08-13").call_json("GetCallerIdentity", {})
    caller.recognize(png)
    stats = caller.emulator.stats()
    assert (stats["calls"], stats["answered"], stats["most_in_one_second"]) == (1, 1, 1)
    assert stats["by_action"] == {"GetCallerIdentity": 1, ACTION: 1}


def test_health_is_told(caller: Caller) -> None:
    assert requests.get(f"{caller.emulator.url}/_emulator/health", timeout=10).json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("effect", "is_billed"),
    [
        ({"delay": 0.001}, True),
        ({"body": "truncated"}, True),
        ({"drop": True, "after_work": True}, True),
        ({"http_status": 502, "after_work": True}, True),
        ({"error": "FailedOperation.EmptyImageError"}, True),
        ({"drop": True}, False),
        ({"http_status": 502}, False),
        ({"error": "InternalError"}, False),
        # The work was done, and yet such an answer is not billed.
        ({"error": "InternalError", "after_work": True}, False),
    ],
    ids=str,
)
def test_billed_is_what_the_real_service_would_bill(
    start: Callable[..., Caller], png: bytes, tmp_path: Path, effect: dict[str, Any], is_billed: bool
) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"rules": [{"effect": effect}]}), encoding="utf-8")
    caller = start(faults=faults)
    with suppress(TencentCloudSDKException, requests.exceptions.RequestException):
        caller.recognize(png)
    (record,) = caller.emulator.records()
    assert (record.billed, caller.emulator.stats()["billed"]) == (is_billed, int(is_billed))


def test_image_that_is_empty_is_billed_without_work(caller: Caller) -> None:
    with pytest.raises(TencentCloudSDKException, match="EmptyImageError"):
        caller.recognize(b"")
    (record,) = caller.emulator.records()
    assert (record.answered, record.billed) == (False, True)


def test_calls_of_other_services_are_not_billed(caller: Caller) -> None:
    caller.sdk(service="sts", version="2018-08-13").call_json("GetCallerIdentity", {})
    assert [record.billed for record in caller.emulator.records()] == [False]
