from __future__ import annotations

import hashlib
import json
import string
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tencentcloud.common import abstract_client
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.http.request import RequestInternal
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from airflow_provider_permitocr.permit.api import ACTION, SERVICE, SITES, VERSION, Site
from airflow_provider_permitocr.tencent.endpoints import AllowedEndpoints
from airflow_provider_permitocr.tencent.keys.credentials import Keys
from airflow_provider_permitocr.tencent.options import ClientOptions
from airflow_provider_permitocr.tencent.signing import Signer, authorization

_VISIBLE = st.text(string.ascii_letters + string.digits + string.punctuation, min_size=1, max_size=60)
_HOSTS = st.from_regex(r"[A-Za-z0-9.-]{1,40}(:[0-9]{1,5})?", fullmatch=True)
#: 2001 to 2286: what the format's 10 digits hold.
_TIMES = st.integers(10**9, 10**10 - 1)


def _headers_of_the_sdk(options: ClientOptions, parameters: object, timestamp: int) -> dict[str, str]:
    """Have the official SDK sign the same call."""
    profile = ClientProfile(httpProfile=HttpProfile(endpoint=options.host), language=options.site.language)
    credential = Credential(options.secret_id, options.secret_key, options.token)
    client = CommonClient(SERVICE, VERSION, credential, options.region, profile)
    request = RequestInternal(options.host, "POST", "/", header={})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(abstract_client.time, "time", lambda: timestamp + 0.9)
        client._build_req_inter(ACTION, parameters, request)
    headers: dict[str, str] = request.header
    return headers


def _signer(options: ClientOptions, timestamp: float) -> Signer:
    return Signer(options, clock=lambda: timestamp)


@pytest.mark.slow
@given(
    secret_id=_VISIBLE,
    secret_key=_VISIBLE,
    token=st.none() | _VISIBLE,
    region=st.just("") | _VISIBLE,
    host=_HOSTS,
    site=st.sampled_from(list(SITES.values())),
    parameters=st.dictionaries(st.text(), st.text() | st.booleans()),
    timestamp=_TIMES,
)
def test_every_header_is_what_the_sdk_sends(
    secret_id: str,
    secret_key: str,
    token: str | None,
    region: str,
    host: str,
    site: Site,
    parameters: dict[str, Any],
    timestamp: int,
) -> None:
    allowed = AllowedEndpoints((f"https://{host.lower().removesuffix(':443')}",))
    options = ClientOptions(secret_id, secret_key, token, site, endpoint=host, region=region, allowed=allowed)
    body = json.dumps(parameters).encode()

    ours = _signer(options, timestamp + 0.9).headers(options.keys, hashlib.sha256(body).hexdigest())

    theirs = _headers_of_the_sdk(options, parameters, timestamp)
    del theirs["X-TC-RequestClient"], ours["User-Agent"]
    assert ours == theirs


def test_the_signature_of_tencents_own_example_is_reproduced() -> None:
    # The vector of "Signature v3" in the documentation, with its body's escapes as they stand there.
    body = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
    header = authorization(
        "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
        "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE",
        1551113065,
        hashlib.sha256(body).hexdigest(),
        host="cvm.tencentcloudapi.com",
        service="cvm",
        content_type="application/json; charset=utf-8",
    )
    assert header == (
        "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request,"
        " SignedHeaders=content-type;host,"
        " Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    )


@pytest.fixture
def in_shanghai() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Shanghai")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("timestamp", "date"), [(1551139199.999, "2019-02-25"), (1551139200.0, "2019-02-26")]
)
def test_the_date_is_that_of_the_timestamp_in_utc(in_shanghai: None, timestamp: float, date: str) -> None:
    headers = _signer(ClientOptions("AKID", "key"), timestamp).headers(Keys("AKID", "key"), "0" * 64)
    assert headers["X-TC-Timestamp"] == str(int(timestamp))
    assert f"/{date}/ocr/" in headers["Authorization"]


@pytest.mark.parametrize("token", [None, "session-token"])
def test_each_signature_is_made_with_the_keys_that_it_is_given(token: str | None) -> None:
    signer = Signer(ClientOptions("AKIDold", "key"), clock=lambda: 0.0)
    headers = signer.headers(Keys("AKIDnew", "key", token), "0" * 64)
    assert "Credential=AKIDnew/" in headers["Authorization"]
    assert headers.get("X-TC-Token") == token
