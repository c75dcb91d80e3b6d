from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.gateway.signature import (
    Authorization,
    canonical_request,
    check_timestamp,
    payload_hash,
    sign,
    verify,
)

GOLDEN_KEY = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
GOLDEN_TIMESTAMP = 1551113065
GOLDEN_SIGNATURE = "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
GOLDEN_BODY = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
GOLDEN_HEADERS = {"content-type": "application/json; charset=utf-8", "host": "cvm.tencentcloudapi.com"}
NAMES = ("content-type", "host")
GOLDEN_AUTHORIZATION = (
    "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, "
    f"SignedHeaders=content-type;host, Signature={GOLDEN_SIGNATURE}"
)


def golden_canonical(headers: dict[str, str] | None = None, names: tuple[str, ...] = NAMES) -> str:
    return canonical_request("POST", "", headers or GOLDEN_HEADERS, names, payload_hash(GOLDEN_BODY, None))


def test_golden_vector_of_the_official_page_is_reproduced() -> None:
    assert sign(GOLDEN_KEY, "cvm", GOLDEN_TIMESTAMP, golden_canonical()) == GOLDEN_SIGNATURE


def test_golden_vector_is_accepted() -> None:
    authorization = Authorization.parse(GOLDEN_AUTHORIZATION)
    assert authorization.service == "cvm"
    verify(authorization, GOLDEN_KEY, GOLDEN_TIMESTAMP, golden_canonical())


def test_values_of_headers_are_trimmed_and_lowered_before_signing() -> None:
    shouted = {"content-type": " Application/JSON; charset=UTF-8 ", "host": "CVM.tencentcloudapi.com"}
    assert golden_canonical(shouted) == golden_canonical()


def test_signed_headers_count_in_alphabetical_order() -> None:
    headers = {**GOLDEN_HEADERS, "x-tc-action": "DescribeInstances"}
    in_order = golden_canonical(headers, ("content-type", "host", "x-tc-action"))
    assert golden_canonical(headers, ("x-tc-action", "host", "content-type")) == in_order
    assert in_order != golden_canonical()


def test_signed_header_that_was_not_sent_is_refused() -> None:
    with pytest.raises(ApiError, match=r"AuthFailure\.SignatureFailure"):
        golden_canonical(names=(*NAMES, "x-tc-action"))


def test_unsigned_payload_makes_the_body_irrelevant() -> None:
    assert payload_hash(b"one", "UNSIGNED-PAYLOAD") == payload_hash(b"another", "UNSIGNED-PAYLOAD")
    assert payload_hash(b"one", None) != payload_hash(b"another", None)


@given(st.text(min_size=1).filter(lambda key: key != GOLDEN_KEY))
def test_any_other_key_is_refused(key: str) -> None:
    try:
        key.encode()
    except UnicodeEncodeError:
        return
    with pytest.raises(ApiError, match=r"AuthFailure\.SignatureFailure"):
        verify(Authorization.parse(GOLDEN_AUTHORIZATION), key, GOLDEN_TIMESTAMP, golden_canonical())


def test_scope_of_another_day_is_refused() -> None:
    tomorrow = Authorization.parse(GOLDEN_AUTHORIZATION.replace("2019-02-25", "2019-02-26"))
    with pytest.raises(ApiError, match=r"AuthFailure\.SignatureFailure"):
        verify(tomorrow, GOLDEN_KEY, GOLDEN_TIMESTAMP, golden_canonical())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SKIP",
        "Bearer abc",
        GOLDEN_AUTHORIZATION.replace("TC3-HMAC-SHA256", "TC3-HMAC-SM3"),
        GOLDEN_AUTHORIZATION.replace("/tc3_request", ""),
        GOLDEN_AUTHORIZATION.replace("content-type;host", "host"),
        GOLDEN_AUTHORIZATION[:-1],
        GOLDEN_AUTHORIZATION + "0",
    ],
)
def test_malformed_authorization_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match=r"AuthFailure\.InvalidAuthorization"):
        Authorization.parse(text)


@given(st.text())
def test_any_text_is_read_or_refused_cleanly(text: str) -> None:
    with pytest.raises(ApiError, match=r"AuthFailure\.InvalidAuthorization"):
        Authorization.parse(text)


@pytest.mark.parametrize("offset", [-300, 0, 300])
def test_timestamp_within_five_minutes_is_accepted(offset: int) -> None:
    assert check_timestamp(str(GOLDEN_TIMESTAMP + offset), GOLDEN_TIMESTAMP) == GOLDEN_TIMESTAMP + offset


@pytest.mark.parametrize("offset", [-301, 301])
def test_timestamp_beyond_five_minutes_is_refused(offset: int) -> None:
    with pytest.raises(ApiError, match=r"AuthFailure\.SignatureExpire"):
        check_timestamp(str(GOLDEN_TIMESTAMP + offset), GOLDEN_TIMESTAMP)


@pytest.mark.parametrize("text", ["", "now", "1551113065.5", "-1", "１５５１１１３０６５", "9" * 400])
def test_timestamp_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="InvalidParameter"):
        check_timestamp(text, GOLDEN_TIMESTAMP)
