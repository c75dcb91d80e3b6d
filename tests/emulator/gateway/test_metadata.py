from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import requests
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import CVMRoleCredential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from airflow_provider_permitocr.emulator.gateway.metadata import ROLES_PATH
from airflow_provider_permitocr.permit.api import ACTION, SERVICE, VERSION

if TYPE_CHECKING:
    from tests.emulator.conftest import Caller, StoppedClock


def credential_of_the_sdk(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> CVMRoleCredential:
    monkeypatch.setattr(CVMRoleCredential, "_role_endpoint", f"{caller.emulator.url}{ROLES_PATH}")
    return CVMRoleCredential()


@pytest.mark.parametrize("sign_off", [0, 3601])
def test_credential_class_of_the_sdk_finds_the_role_and_its_keys(
    start: Callable[..., Caller],
    png: bytes,
    clock: StoppedClock,
    monkeypatch: pytest.MonkeyPatch,
    sign_off: int,
) -> None:
    caller = start(instance_role="permit-reader", instance_role_seconds=3600, clock=clock)
    credential = credential_of_the_sdk(caller, monkeypatch)
    client = CommonClient(SERVICE, VERSION, credential, "", caller.profile())
    clock.now += sign_off
    monkeypatch.setattr("tencentcloud.common.abstract_client.time.time", clock)
    answer = client.call_json(ACTION, {"ImageBase64": base64.b64encode(png).decode()})
    assert answer["Response"]["Name"] == "李优图"
    assert credential.role == "permit-reader"


def test_keys_of_the_instance_end(
    start: Callable[..., Caller], png: bytes, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = start(instance_role="permit-reader", instance_role_seconds=60, clock=clock)
    client = caller.sdk(*credential_of_the_sdk(caller, monkeypatch).get_credential_info())
    clock.now += 60
    with pytest.raises(TencentCloudSDKException) as caught:
        client.call_json(ACTION, {"ImageBase64": base64.b64encode(png).decode()})
    assert caught.value.get_code() == "AuthFailure.TokenFailure"


def test_the_same_keys_are_given_out_until_half_of_their_time_is_over(
    start: Callable[..., Caller], clock: StoppedClock
) -> None:
    caller = start(instance_role="r", instance_role_seconds=100, clock=clock)
    place = f"{caller.emulator.url}{ROLES_PATH}r"
    ids = []
    for _ in range(3):
        ids.append(requests.get(place, timeout=5).json()["TmpSecretId"])
        clock.now += 30
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(("role", "path"), [(None, ""), (None, "r"), ("r", "other")])
def test_without_such_a_role_there_is_no_page(
    start: Callable[..., Caller], role: str | None, path: str
) -> None:
    caller = start(instance_role=role)
    assert requests.get(f"{caller.emulator.url}{ROLES_PATH}{path}", timeout=5).status_code == 404
