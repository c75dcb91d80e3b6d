from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY
from airflow_provider_permitocr.permit.api import ACTION, VERSION

if TYPE_CHECKING:
    from tests.emulator.conftest import Caller

CREDENTIAL = Credential(DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY)


def test_refusals_have_status_200_and_exactly_the_content_type_that_the_sdk_checks(caller: Caller) -> None:
    response = caller.post(b"{}", drop="Authorization")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert set(response.json()["Response"]) == {"Error", "RequestId"}


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("X-TC-Action", "MissingParameter"),
        ("X-TC-Version", "MissingParameter"),
        ("X-TC-Timestamp", "MissingParameter"),
        ("Authorization", "AuthFailure.InvalidAuthorization"),
    ],
)
def test_missing_common_parameter_is_named(caller: Caller, header: str, code: str) -> None:
    assert caller.post(b"{}", drop=header).json()["Response"]["Error"]["Code"] == code


def test_changed_body_breaks_the_signature(caller: Caller) -> None:
    authorization = caller.post(b"{}").request.headers["Authorization"]
    response = caller.post(b'{"CardSide": "BACK"}', Authorization=str(authorization))
    assert response.json()["Response"]["Error"]["Code"] == "AuthFailure.SignatureFailure"


def test_charset_in_the_content_type_is_fine(caller: Caller) -> None:
    response = caller.post(b"{}", content_type="application/json; charset=utf-8")
    assert response.json()["Response"]["Error"]["Code"] == "MissingParameter"


def test_other_content_types_are_refused(caller: Caller) -> None:
    response = caller.post(b"a=1", content_type="application/x-www-form-urlencoded")
    assert response.json()["Response"]["Error"]["Code"] == "UnsupportedProtocol"


@pytest.mark.parametrize("size", [10 * 1024 * 1024 + 1, 24 * 1024 * 1024])
def test_request_above_10_megabytes_is_answered_after_it_was_read(caller: Caller, size: int) -> None:
    response = caller.post(b" " * size)
    assert response.json()["Response"]["Error"]["Code"] == "RequestSizeLimitExceeded"


def test_request_of_10_megabytes_passes_the_gateway(caller: Caller) -> None:
    body = b'{"CardSide": "FRONT"}'.ljust(10 * 1024 * 1024)
    assert caller.post(body).json()["Response"]["Error"]["Code"] == "MissingParameter"


def test_get_takes_32_kilobytes(caller: Caller) -> None:
    client = CommonClient("ocr", VERSION, CREDENTIAL, "", caller.profile(reqMethod="GET"))
    codes = []
    for size in (30_000, 33_000):
        with pytest.raises(TencentCloudSDKException) as caught:
            client.call_json(ACTION, {"ImageBase64": "a" * size})
        codes.append(caught.value.get_code())
    assert codes == ["FailedOperation.ImageDecodeFailed", "RequestSizeLimitExceeded"]


def test_caller_that_goes_away_while_sending_is_no_call(
    caller: Caller, png: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection((caller.emulator.host, caller.emulator.port), timeout=10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: emulator\r\nContent-Length: 1000\r\n\r\n{")
    caller.recognize(png)
    assert caller.emulator.stats()["calls"] == 1
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]


def test_chinese_messages_for_those_who_ask(caller: Caller) -> None:
    english = caller.post(b"{}").json()["Response"]["Error"]
    chinese = caller.post(b"{}", X_TC_Language="zh-CN").json()["Response"]["Error"]
    assert english["Code"] == chinese["Code"]
    assert english["Message"].isascii()
    assert "缺少" in chinese["Message"]
