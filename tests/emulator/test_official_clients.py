from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.ocr.v20181119 import models, ocr_client, ocr_client_async

from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY, KeyPair
from airflow_provider_permitocr.permit.api import ACTION, CardSide

if TYPE_CHECKING:
    from tests.emulator.conftest import Caller, FakeEngine, StoppedClock

CREDENTIAL = Credential(DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY)


def back_request(image: bytes) -> models.MainlandPermitOCRRequest:
    request = models.MainlandPermitOCRRequest()
    request.ImageBase64 = base64.b64encode(image).decode()
    request.CardSide = "BACK"
    request.RetProfile = True
    return request


def test_typed_client_reads_the_fields(caller: Caller, engine: FakeEngine, png: bytes) -> None:
    client = ocr_client.OcrClient(CREDENTIAL, "", caller.profile())
    response = client.MainlandPermitOCR(back_request(png))
    assert (response.Name, response.Number) == ("李优图", "08320271")
    assert response.RequestId == caller.emulator.records()[0].request_id
    assert engine.asked == [(png, CardSide.BACK, True)]


def test_typed_asynchronous_client_reads_the_fields(caller: Caller, engine: FakeEngine, jpeg: bytes) -> None:
    async def recognize() -> models.MainlandPermitOCRResponse:
        async with ocr_client_async.OcrClient(CREDENTIAL, "", caller.profile(keepAlive=True)) as client:
            return await client.MainlandPermitOCR(back_request(jpeg))

    response = asyncio.run(recognize())
    assert (response.Name, response.Number) == ("李优图", "08320271")
    assert engine.asked == [(jpeg, CardSide.BACK, True)]


def test_get_method_carries_the_parameters_in_the_query(
    caller: Caller, engine: FakeEngine, png: bytes
) -> None:
    client = ocr_client.OcrClient(CREDENTIAL, "", caller.profile(reqMethod="GET"))
    assert client.MainlandPermitOCR(back_request(png)).Name == "李优图"
    assert engine.asked == [(png, CardSide.BACK, True)]


def test_unsigned_payload_is_accepted(caller: Caller, png: bytes) -> None:
    profile = caller.profile()
    profile.unsignedPayload = True
    assert ocr_client.OcrClient(CREDENTIAL, "", profile).MainlandPermitOCR(back_request(png)).Name == "李优图"


def test_region_and_language_change_nothing_for_the_signature(caller: Caller, png: bytes) -> None:
    profile = caller.profile()
    profile.language = "zh-CN"
    client = ocr_client.OcrClient(CREDENTIAL, "ap-guangzhou", profile)
    assert client.MainlandPermitOCR(back_request(png)).Name == "李优图"


@pytest.mark.parametrize(
    ("secret_id", "secret_key", "token", "code"),
    [
        ("AKIDUNKNOWN", DEFAULT_SECRET_KEY, None, "AuthFailure.SecretIdNotFound"),
        (DEFAULT_SECRET_ID, "wrong", None, "AuthFailure.SignatureFailure"),
        (DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY, "token", "AuthFailure.TokenFailure"),
        ("AKIDTEMPORARY", "key", "wrong", "AuthFailure.TokenFailure"),
        ("AKIDTEMPORARY", "key", None, "AuthFailure.TokenFailure"),
        ("AKIDEXPIRED", "key", "token", "AuthFailure.TokenFailure"),
    ],
)
def test_wrong_credentials_are_refused(
    start: Callable[..., Caller],
    engine: FakeEngine,
    png: bytes,
    secret_id: str,
    secret_key: str,
    token: str | None,
    code: str,
) -> None:
    keys = (
        KeyPair(DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY),
        KeyPair("AKIDTEMPORARY", "key", token="token"),
        KeyPair("AKIDEXPIRED", "key", token="token", expires_at=1.0),
    )
    client = start(keys=keys).sdk(secret_id, secret_key, token)
    with pytest.raises(TencentCloudSDKException) as caught:
        client.call_json(ACTION, {"ImageBase64": base64.b64encode(png).decode()})
    assert caught.value.get_code() == code
    assert caught.value.get_request_id()
    assert engine.asked == []


def test_temporary_pair_with_its_token_is_accepted(start: Callable[..., Caller], png: bytes) -> None:
    caller = start(keys=(KeyPair("AKIDTEMPORARY", "key", token="token"),))
    client = caller.sdk("AKIDTEMPORARY", "key", "token")
    answer = client.call_json(ACTION, {"ImageBase64": base64.b64encode(png).decode()})
    assert answer["Response"]["Name"] == "李优图"


@pytest.mark.parametrize("seconds", [-330, 330])
def test_clock_that_is_off_by_more_than_five_minutes_is_refused(
    start: Callable[..., Caller], clock: StoppedClock, png: bytes, seconds: int
) -> None:
    clock.now += seconds
    caller = start(clock=clock)
    with pytest.raises(TencentCloudSDKException) as caught:
        caller.recognize(png)
    assert caught.value.get_code() == "AuthFailure.SignatureExpire"


@pytest.mark.parametrize(
    ("service", "version", "action", "code"),
    [
        ("cvm", "2018-11-19", ACTION, "NoSuchProduct"),
        ("ocr", "2017-01-01", ACTION, "NoSuchVersion"),
        ("ocr", "2018-11-19", "IDCardOCR", "InvalidAction"),
        ("sts", "2018-08-13", ACTION, "InvalidAction"),
    ],
)
def test_what_the_emulator_does_not_offer_is_refused(
    caller: Caller, service: str, version: str, action: str, code: str
) -> None:
    with pytest.raises(TencentCloudSDKException) as caught:
        caller.sdk(service=service, version=version).call_json(action, {})
    assert caught.value.get_code() == code
