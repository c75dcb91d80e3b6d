from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import (
    DefaultTkeOIDCRoleArnProvider,
    OIDCRoleArnCredential,
    STSAssumeRoleCredential,
)
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from airflow_provider_permitocr.emulator.options import (
    DEFAULT_ACCOUNT,
    DEFAULT_SECRET_ID,
    DEFAULT_SECRET_KEY,
    WebIdentity,
)
from airflow_provider_permitocr.permit.api import ACTION, SERVICE, VERSION

if TYPE_CHECKING:
    from tests.emulator.conftest import Caller, StoppedClock

ROLE = {"RoleArn": "qcs::cam::uin/100000000001:roleName/permit-reader", "RoleSessionName": "airflow"}


def sts(
    caller: Caller,
    secret_id: str = DEFAULT_SECRET_ID,
    secret_key: str = DEFAULT_SECRET_KEY,
    token: str | None = None,
) -> CommonClient:
    return caller.sdk(secret_id, secret_key, token, service="sts", version="2018-08-13")


def assume_role(caller: Caller, **changes: Any) -> dict[str, Any]:
    response: dict[str, Any] = sts(caller).call_json("AssumeRole", {**ROLE, **changes})["Response"]
    return response


def temporary(caller: Caller, **changes: Any) -> tuple[str, str, str]:
    pair = assume_role(caller, **changes)["Credentials"]
    return pair["TmpSecretId"], pair["TmpSecretKey"], pair["Token"]


def test_caller_learns_its_account(caller: Caller) -> None:
    identity = sts(caller).call_json("GetCallerIdentity", {})["Response"]
    assert (identity["AccountId"], identity["Type"]) == (DEFAULT_ACCOUNT, "CAMUser")
    assert identity["RequestId"]


def test_identity_of_a_wrong_key_is_refused(caller: Caller) -> None:
    with pytest.raises(TencentCloudSDKException) as caught:
        sts(caller, DEFAULT_SECRET_ID, "wrong").call_json("GetCallerIdentity", {})
    assert caught.value.get_code() == "AuthFailure.SignatureFailure"


def test_temporary_pair_acts_for_the_role(caller: Caller) -> None:
    identity = sts(caller, *temporary(caller)).call_json("GetCallerIdentity", {})["Response"]
    assert (identity["AccountId"], identity["Type"]) == (DEFAULT_ACCOUNT, "CAMRole")
    assert identity["UserId"].endswith(":airflow")


def test_temporary_pair_recognizes_until_it_expires(
    start: Callable[..., Caller], clock: StoppedClock, png: bytes
) -> None:
    caller = start(clock=clock)
    client = caller.sdk(*temporary(caller, DurationSeconds=60))
    image = {"ImageBase64": base64.b64encode(png).decode()}
    clock.now += 59
    assert client.call_json(ACTION, image)["Response"]["Name"] == "李优图"
    clock.now += 1
    with pytest.raises(TencentCloudSDKException) as caught:
        client.call_json(ACTION, image)
    assert caught.value.get_code() == "AuthFailure.TokenFailure"


def test_temporary_pair_shares_the_quota_of_its_account(
    start: Callable[..., Caller], clock: StoppedClock, png: bytes
) -> None:
    caller = start(clock=clock, quota=1)
    client = caller.sdk(*temporary(caller))
    caller.recognize(png)
    with pytest.raises(TencentCloudSDKException) as caught:
        client.call_json(ACTION, {"ImageBase64": base64.b64encode(png).decode()})
    assert caught.value.get_code() == "RequestLimitExceeded"


def test_expiry_is_told_in_both_forms(start: Callable[..., Caller], clock: StoppedClock) -> None:
    clock.now = float(int(clock.now))
    response = assume_role(start(clock=clock), DurationSeconds=1800)
    assert response["ExpiredTime"] == clock.now + 1800
    assert response["Expiration"].endswith("Z")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"RoleArn": ""}, "MissingParameter"),
        ({"RoleSessionName": None}, "MissingParameter"),
        ({"RoleArn": "permit-reader"}, "InvalidParameter.ParamError"),
        ({"DurationSeconds": 43201}, "InvalidParameter.OverTimeError"),
        ({"DurationSeconds": 0}, "InvalidParameter.OverTimeError"),
        ({"DurationSeconds": "60"}, "InvalidParameter"),
        ({"Duration": 60}, "UnknownParameter"),
    ],
)
def test_wrong_parameters_are_refused(caller: Caller, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(TencentCloudSDKException) as caught:
        assume_role(caller, **changes)
    assert caught.value.get_code() == code


def test_credential_class_of_the_sdk_assumes_the_role_over_tls(
    start: Callable[..., Caller], tmp_path: Path, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = start(tls=tmp_path)
    # Both it and the client offer no way to trust another authority.
    monkeypatch.setattr("certifi.where", lambda: str(caller.emulator.ca_file))
    credential = STSAssumeRoleCredential(
        DEFAULT_SECRET_ID,
        DEFAULT_SECRET_KEY,
        ROLE["RoleArn"],
        ROLE["RoleSessionName"],
        endpoint=caller.emulator.endpoint,
    )
    client = CommonClient(SERVICE, VERSION, credential, "", caller.profile())
    answer = client.call_json(ACTION, {"ImageBase64": base64.b64encode(png).decode()})
    assert answer["Response"]["Name"] == "李优图"


IDENTITY = WebIdentity("cls-1", "a.service.account", account="100000000002")


def with_web_identity(caller: Caller, **changes: Any) -> dict[str, Any]:
    client = CommonClient("sts", "2018-08-13", None, "ap-guangzhou", caller.profile())
    given = ROLE | {"ProviderId": "cls-1", "WebIdentityToken": "a.service.account"} | changes
    answer = client.call_json("AssumeRoleWithWebIdentity", given, options={"SkipSign": True})
    response: dict[str, Any] = answer["Response"]
    return response


def test_token_of_a_service_account_is_good_for_keys_of_its_account(start: Callable[..., Caller]) -> None:
    caller = start(web_identities=(IDENTITY,))
    pair = with_web_identity(caller)["Credentials"]
    client = sts(caller, pair["TmpSecretId"], pair["TmpSecretKey"], pair["Token"])
    identity = client.call_json("GetCallerIdentity", {})["Response"]
    assert (identity["AccountId"], identity["Type"]) == ("100000000002", "CAMRole")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"WebIdentityToken": "another"}, "InvalidParameter.WebIdentityTokenError"),
        ({"ProviderId": "another"}, "InvalidParameter.WebIdentityTokenError"),
        ({"ProviderId": ""}, "MissingParameter"),
        ({"RoleArn": "reader"}, "InvalidParameter.ParamError"),
        ({"DurationSeconds": 43201}, "InvalidParameter.OverTimeError"),
    ],
)
def test_wrong_web_identity_is_refused(
    start: Callable[..., Caller], changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(TencentCloudSDKException) as caught:
        with_web_identity(start(web_identities=(IDENTITY,)), **changes)
    assert caught.value.get_code() == code


@pytest.mark.parametrize("action", ["AssumeRole", "GetCallerIdentity", ACTION])
def test_other_actions_have_to_be_signed(start: Callable[..., Caller], action: str) -> None:
    caller = start(web_identities=(IDENTITY,))
    client = CommonClient("sts", "2018-08-13", None, "ap-guangzhou", caller.profile())
    with pytest.raises(TencentCloudSDKException) as caught:
        client.call_json(action, ROLE, options={"SkipSign": True})
    assert caught.value.get_code() == "AuthFailure.InvalidAuthorization"


def test_tke_provider_of_the_sdk_finds_keys_over_tls(
    start: Callable[..., Caller], tmp_path: Path, png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = start(tls=tmp_path, web_identities=(IDENTITY,))
    monkeypatch.setattr("certifi.where", lambda: str(caller.emulator.ca_file))
    monkeypatch.setattr(OIDCRoleArnCredential, "_endpoint", caller.emulator.endpoint)
    token = tmp_path / "token"
    token.write_text(IDENTITY.token)
    variables = {
        "TKE_REGION": "ap-guangzhou",
        "TKE_PROVIDER_ID": IDENTITY.provider_id,
        "TKE_WEB_IDENTITY_TOKEN_FILE": str(token),
        "TKE_ROLE_ARN": ROLE["RoleArn"],
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    credential = DefaultTkeOIDCRoleArnProvider().get_credential()
    client = CommonClient(SERVICE, VERSION, credential, "", caller.profile())
    answer = client.call_json(ACTION, {"ImageBase64": base64.b64encode(png).decode()})
    assert answer["Response"]["Name"] == "李优图"
    assert caller.emulator.records()[-1].account == IDENTITY.account
