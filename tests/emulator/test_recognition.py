from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.permit.api import CardSide

if TYPE_CHECKING:
    from tests.emulator.conftest import Caller, FakeEngine, ImageServer


def refusal(caller: Caller, parameters: Any) -> str:
    response = caller.post(json.dumps(parameters).encode()).json()["Response"]
    code: str = response["Error"]["Code"]
    return code


def test_front_without_portrait_is_the_default(caller: Caller, engine: FakeEngine, png: bytes) -> None:
    caller.recognize(png)
    assert engine.asked == [(png, CardSide.FRONT, False)]


def test_parameters_given_as_null_or_empty_count_as_not_given(
    caller: Caller, engine: FakeEngine, png: bytes
) -> None:
    caller.recognize(png, CardSide="", ImageUrl="", RetProfile=None)
    assert engine.asked == [(png, CardSide.FRONT, False)]


def test_url_wins_over_base64(
    caller: Caller, engine: FakeEngine, png: bytes, jpeg: bytes, image_server: ImageServer
) -> None:
    image_server.files["/permit"] = jpeg
    caller.recognize(png, ImageUrl=image_server.url("/permit"))
    assert engine.asked[0][0] == jpeg
    assert caller.emulator.records()[0].image == hashlib.sha256(jpeg).hexdigest()


def test_base64_is_no_substitute_for_a_url_that_fails(caller: Caller, png: bytes) -> None:
    with pytest.raises(TencentCloudSDKException) as caught:
        caller.recognize(png, ImageUrl="http://127.0.0.1:1/permit")
    assert caught.value.get_code() == "FailedOperation.DownLoadError"


def test_warnings_are_sent_by_the_international_site_only(start: Callable[..., Caller], png: bytes) -> None:
    assert start(site="intl").recognize(png)["WarnCardInfos"] == [-9102]
    assert "WarnCardInfos" not in start(site="mainland").recognize(png)


def test_mainland_site_speaks_chinese_by_default(start: Callable[..., Caller]) -> None:
    message = start(site="mainland").post(b"{}").json()["Response"]["Error"]["Message"]
    assert not message.isascii()


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({}, "MissingParameter"),
        ({"CardSide": "BACK"}, "MissingParameter"),
        ({"ImageBase64": ""}, "FailedOperation.EmptyImageError"),
        ({"ImageBase64": "aGFsbG8="}, "FailedOperation.ImageDecodeFailed"),
        ({"ImageBase64": "data:image/png;base64,aGFsbG8="}, "FailedOperation.ImageDecodeFailed"),
        (
            {"ImageBase64": "aGFsbG8=", "CardSide": "front"},
            "InvalidParameterValue.InvalidParameterValueLimit",
        ),
        ({"ImageBase64": "aGFsbG8=", "CardSide": 1}, "InvalidParameter"),
        ({"ImageBase64": ["aGFsbG8="]}, "InvalidParameter"),
        ({"ImageBase64": "aGFsbG8=", "RetProfile": "true"}, "InvalidParameter"),
        ({"ImageBase64": "aGFsbG8=", "RetProfile": 1}, "InvalidParameter"),
        ({"ImageBase64": "aGFsbG8=", "Side": "BACK"}, "UnknownParameter"),
        ([], "InvalidParameter"),
        ("text", "InvalidParameter"),
    ],
)
def test_wrong_parameters_are_refused_before_the_engine(
    caller: Caller, engine: FakeEngine, parameters: Any, code: str
) -> None:
    assert refusal(caller, parameters) == code
    assert engine.asked == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_body_that_is_not_json_is_refused(caller: Caller, body: bytes) -> None:
    assert caller.post(body).json()["Response"]["Error"]["Code"] == "InvalidParameter"


def test_too_large_an_image_is_refused(caller: Caller, png: bytes) -> None:
    with pytest.raises(TencentCloudSDKException) as caught:
        caller.recognize(png.ljust(6 * 1024 * 1024))
    assert caught.value.get_code() == "LimitExceeded.TooLargeFileError"


def test_what_the_engine_refuses_is_answered(caller: Caller, engine: FakeEngine, png: bytes) -> None:
    engine.error = ApiError("FailedOperation.ImageNoSpecifiedCard", "Not a permit.")
    with pytest.raises(TencentCloudSDKException) as caught:
        caller.recognize(png)
    assert caught.value.get_code() == "FailedOperation.ImageNoSpecifiedCard"
    assert caught.value.get_message() == "Not a permit."


def test_engine_that_breaks_is_an_internal_error_and_its_message_stays_out_of_the_log(
    caller: Caller, engine: FakeEngine, png: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    engine.error = KeyError("李优图")
    with pytest.raises(TencentCloudSDKException) as caught:
        caller.recognize(png)
    assert caught.value.get_code() == "InternalError"
    assert "KeyError" in caplog.text
    assert "李优图" not in caplog.text


def test_neither_fields_nor_urls_are_logged(
    caller: Caller, png: bytes, image_server: ImageServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    image_server.files["/signed?secret"] = png
    caller.recognize(png, ImageUrl=image_server.url("/signed?secret"))
    with pytest.raises(TencentCloudSDKException):
        caller.recognize(png, ImageUrl="http://127.0.0.1:1/signed?secret")
    of_the_client = ("tencentcloud", "urllib3")
    lines = [record.getMessage() for record in caplog.records if not record.name.startswith(of_the_client)]
    assert not any("李优图" in line or "secret" in line for line in lines)
