from __future__ import annotations

import json
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.errors import CallError, Decision
from airflow_provider_permitocr.tencent.decisions import call_error
from airflow_provider_permitocr.tencent.envelope import Answer, Refusal, open_envelope
from airflow_provider_permitocr.tencent.keys.credentials import Keys

KEYS = Keys("AKID", "secret-word", "a-token")


def opened(response: Any) -> Answer | Refusal:
    return open_envelope(json.dumps({"Response": response}).encode(), KEYS.secrets)


def refused(**error: Any) -> Refusal:
    refusal = opened({"Error": error, "RequestId": "r"})
    assert isinstance(refusal, Refusal)
    return refusal


def fault(body: bytes) -> CallError:
    with pytest.raises(CallError) as caught:
        open_envelope(body, KEYS.secrets)
    assert caught.value.decision is Decision.RETRY
    return caught.value


def test_an_answer_has_its_fields_and_its_request_id() -> None:
    assert opened({"Name": "陳大文", "RequestId": "r"}) == Answer({"Name": "陳大文"}, "r")


def test_a_refusal_has_its_code_and_its_words() -> None:
    assert refused(Code="InternalError", Message="Try again.") == Refusal("InternalError", "Try again.", "r")


@pytest.mark.parametrize(
    "message", ["a" * 120_000, "://" * 40_000, "a." * 60_000, "Signature=" * 12_000, {"a": ["b"] * 9000}]
)
def test_a_long_message_is_cut_before_anything_looks_at_it(message: Any) -> None:
    assert len(refused(Code="InternalError", Message=message).message) <= 1100


@pytest.mark.parametrize(
    "code", ["a." * 200_000, "A" * 129, "", 1, None, "Two words", "Line\nbreak", "陳大文"]
)
def test_a_code_that_is_none_is_no_answer_of_the_api(code: Any) -> None:
    with pytest.raises(CallError) as caught:
        refused(Code=code, Message="m")
    assert (caught.value.code, caught.value.request_id) == ("ClientMalformedAnswer.WrongEnvelope", "r")
    assert len(str(caught.value)) < 300


def test_a_code_with_many_dots_is_looked_up_all_the_same() -> None:
    code = "a." * 63 + "a"
    assert call_error(refused(Code=code).code, "").decision is Decision.UNCLEAR


def test_a_message_lacks_urls_and_what_the_call_was_signed_with() -> None:
    message = "https://cos/a.jpg?q-sign=1 secret-word a-token Signature=0123abc and AKID"
    assert refused(Code="InternalError", Message=message).message == "(URL) *** *** (signature) and AKID"


def test_a_long_request_id_is_cut() -> None:
    answer = opened({"RequestId": "r" * 500_000})
    assert len(answer.request_id) == 128


def test_what_is_no_number_in_json_is_taken_for_nothing_and_the_rest_is_kept() -> None:
    body = b'{"Response": {"Name": "x", "WarnCardInfos": [NaN, -9102, Infinity]}}'
    assert open_envelope(body, KEYS.secrets) == Answer(
        {"Name": "x", "WarnCardInfos": [None, -9102, None]}, ""
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[" * 90_000, "NotJson"),
        (b'{"a":' * 50_000, "NotJson"),
        (b"9" * 10_000, "NotJson"),
        (b"\xff", "NotJson"),
        (b"", "NotJson"),
        (b'{"Response": [%b]}' % b",".join([b"{}"] * 500_000), "TooLong"),
        (b'{"Response": {"a": [%b]}}' % b",".join([b"1"] * 4_000_000), "TooLong"),
        (b"null", "WrongEnvelope"),
        (b'{"Response": null}', "WrongEnvelope"),
        (b'{"Response": {"Error": []}}', "WrongEnvelope"),
    ],
    ids=[
        "lists",
        "objects",
        "digits",
        "no text",
        "empty",
        "many objects",
        "many numbers",
        "null",
        "none",
        "[]",
    ],
)
def test_an_answer_that_would_take_much_memory_takes_little(body: bytes, code: str) -> None:
    tracemalloc.start()
    try:
        error = fault(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert error.code == f"ClientMalformedAnswer.{code}"
    assert peak < 60_000_000


ANYTHING = st.recursive(st.none() | st.text() | st.floats() | st.integers(), st.lists)


@pytest.mark.slow
@given(st.binary() | ANYTHING.map(json.dumps).map(str.encode))
def test_whatever_comes_is_an_answer_or_a_fault_that_may_pass(body: bytes) -> None:
    for wrapped in (body, b'{"Response": %b}' % body, b'{"Response": {"Error": %b}}' % body):
        with suppress(CallError):
            open_envelope(wrapped, KEYS.secrets)


@pytest.mark.parametrize("levels", [100, 940, 989, 100_000])
def test_an_answer_of_more_levels_than_can_be_stored_is_malformed(levels: int) -> None:
    body = b'{"Response": {"Name": %b%b}}' % (b"[" * levels, b"]" * levels)
    with pytest.raises(CallError, match="ClientMalformedAnswer"):
        open_envelope(body, ["k"])
