from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_permitocr.permit.api import SITES
from airflow_provider_permitocr.tencent.endpoints import AllowedEndpoints
from airflow_provider_permitocr.tencent.options import ClientOptions, Role


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"secret_id": ""}, r"SecretId \(login\)"),
        ({"secret_id": " AKID"}, r"SecretId \(login\)"),
        ({"secret_id": "AK\nID"}, r"SecretId \(login\)"),
        ({"secret_id": "AKID\u200b"}, r"SecretId \(login\)"),
        ({"secret_id": "ＡＫＩＤ"}, r"SecretId \(login\)"),
        ({"secret_key": ""}, r"SecretKey \(password\)"),
        ({"secret_key": "key\n"}, r"SecretKey \(password\)"),
        ({"secret_key": "key\u00a0"}, r"SecretKey \(password\)"),
        ({"token": "to ken"}, "token"),
        ({"token": "token\n"}, "token"),
        ({"protocol": "ftp"}, "https or http"),
        (
            {"protocol": "http"},
            "http://ocr.intl.* in the clear; correct it, or, if that is meant, set .allow_endpoint",
        ),
        (
            {"protocol": "http", "endpoint": "10.0.0.5:8080"},
            "http://10.0.0.5:8080 would get images and signatures and is not Tencent Cloud's",
        ),
        ({"protocol": "http", "endpoint": "localhost.example.com"}, "not Tencent"),
        ({"protocol": "http", "endpoint": "127.example.com"}, "not Tencent"),
        ({"protocol": "HTTPS"}, "https or http"),
        ({"endpoint": "https://ocr.tencentcloudapi.com"}, "must be a host name"),
        ({"endpoint": "ocr.tencentcloudapi.com/"}, "must be a host name"),
        ({"endpoint": "user@host"}, "must be a host name"),
        ({"endpoint": ""}, "must be a host name"),
        ({"connect_timeout": 0}, "connect_timeout must be above 0"),
        ({"read_timeout": -1.0}, "read_timeout must be above 0"),
        ({"read_timeout": math.nan}, "read_timeout must be above 0"),
        ({"call_timeout": 0}, "call_timeout must be above 0"),
        ({"call_timeout": math.inf}, "call_timeout must be above 0 and at most 86400 seconds"),
        ({"region": "ap-\nsingapore"}, "region"),
        ({"ca_bundle": "/no/such/ca.pem"}, "ca_bundle"),
    ],
    ids=repr,
)
def test_wrong_option_is_refused_with_its_name(changes: dict[str, Any], says: str) -> None:
    given: dict[str, Any] = {"secret_id": "AKID", "secret_key": "the-secret"} | changes
    with pytest.raises(ValueError, match=says) as caught:
        ClientOptions(**given)
    assert "the-secret" not in str(caught.value)
    assert not given["secret_key"] or given["secret_key"].strip() not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:1", "localhost", "LOCALHOST:8080", "127.9.9.9", "localhost."]
)
def test_http_is_taken_to_this_machine(endpoint: str) -> None:
    assert ClientOptions("AKID", "key", endpoint=endpoint, protocol="http").host == endpoint.lower()


@pytest.mark.parametrize("protocol", ["http", "https"])
def test_another_host_is_taken_where_it_is_allowed_by_name(protocol: str) -> None:
    allowed = AllowedEndpoints((f"{protocol}://gateway.test",))
    options = ClientOptions("AKID", "key", endpoint="Gateway.test", protocol=protocol, allowed=allowed)
    assert options.foreign_endpoint == f"{protocol}://gateway.test"


@pytest.mark.parametrize(
    "arn",
    [
        "qcs::cam::uin/12345678:role/4611686018427397919",
        "qcs::cam::uin/12345678:roleName/testRoleName",
        "qcs::cam::uin/12345678:role/tencentcloudServiceRole/4611686018427397920",
        "qcs::cam::uin/12345678:role/tencentcloudServiceRoleName/testServiceRoleName",
    ],
)
def test_every_form_of_role_of_the_api_page_is_taken(arn: str) -> None:
    assert Role(arn).account == "12345678"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"arn": ""}, "role_arn"),
        ({"arn": "testRoleName"}, "role_arn"),
        ({"arn": "qcs::cam::uin/me:roleName/r"}, "role_arn"),
        ({"arn": "qcs::cam::uin/1:roleName/r\n"}, "role_arn"),
        ({"session_name": "a"}, "role_session_name"),
        ({"session_name": "night run"}, "role_session_name"),
        ({"session_name": "a" * 129}, "role_session_name"),
        ({"seconds": 0}, "role_seconds"),
        ({"seconds": 43_201}, "role_seconds"),
    ],
    ids=repr,
)
def test_a_wrong_role_is_refused_with_the_fields_name(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Role(**({"arn": "qcs::cam::uin/1:roleName/r"} | changes))


@pytest.mark.parametrize(
    "endpoint", ["ocr.ap-singapore.tencentcloudapi.com", "127.0.0.1:8443", "ocr.tencentcloudapi.com:443"]
)
def test_host_with_or_without_port_is_taken(endpoint: str) -> None:
    assert ClientOptions("AKID", "key", endpoint=endpoint).host == endpoint


def test_host_is_put_in_small_letters_as_the_service_checks_it() -> None:
    assert ClientOptions("AKID", "key", endpoint="OCR.Tencentcloudapi.com").host == "ocr.tencentcloudapi.com"


@pytest.mark.parametrize("site", SITES)
def test_host_defaults_to_the_sites(site: str) -> None:
    assert ClientOptions("AKID", "key", site=SITES[site]).host == SITES[site].endpoint


def test_ca_bundle_that_exists_is_taken(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    assert ClientOptions("AKID", "key", ca_bundle=str(bundle)).ca_bundle == str(bundle)


def test_repr_shows_no_secret() -> None:
    shown = repr(ClientOptions("AKID", "the-key", token="the-token", proxy="http://me:pass@proxy:3128"))
    assert "AKID" in shown
    assert not [secret for secret in ("the-key", "the-token", "pass@") if secret in shown]
