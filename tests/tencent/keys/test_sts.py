from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_permitocr.emulator.options import DEFAULT_ACCOUNT
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.errors import CallError, Decision
from airflow_provider_permitocr.permit.api import SITES
from airflow_provider_permitocr.tencent.endpoints import AllowedEndpoints
from airflow_provider_permitocr.tencent.keys.credentials import ConnectionKeys, IssuedKeys, Keys
from airflow_provider_permitocr.tencent.keys.key_source import key_source
from airflow_provider_permitocr.tencent.keys.sts import assume_role, caller_identity
from airflow_provider_permitocr.tencent.options import ClientOptions, Role
from airflow_provider_permitocr.tencent.transport import HttpAnswer, Transport
from tests.net.raw_server import Connection, RawServer
from tests.tencent.recognition import identity_of

OptionsFor = Callable[..., ClientOptions]

ARN = f"qcs::cam::uin/{DEFAULT_ACCOUNT}:roleName/permit-reader"


def http(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def assumed(options: ClientOptions, **role: Any) -> IssuedKeys:
    return assume_role(options, Role(ARN, **role), options.keys)


def test_identity_is_the_account_that_owns_the_keys(
    emulator: RunningEmulator, options_for: OptionsFor
) -> None:
    identity = identity_of(options_for(emulator))
    assert identity.account == DEFAULT_ACCOUNT
    assert f"{identity}" == f"account {DEFAULT_ACCOUNT}, {identity.arn}"
    assert "qcs::cam::uin/" in identity.arn


def test_identity_costs_no_call_of_the_api(emulator: RunningEmulator, options_for: OptionsFor) -> None:
    identity_of(options_for(emulator, role=Role(ARN)))
    assert emulator.stats()["calls"] == 0


def test_identity_is_asked_for_with_the_authorities_of_the_environment(
    start_label_emulator: Callable[..., RunningEmulator],
    options_for: OptionsFor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emulator = start_label_emulator(tls=tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(emulator.ca_file))
    assert identity_of(options_for(emulator, protocol="https")).account == DEFAULT_ACCOUNT


def test_in_a_role_the_identity_is_the_roles(emulator: RunningEmulator, options_for: OptionsFor) -> None:
    assert "assumed-role" in identity_of(options_for(emulator, role=Role(ARN))).arn


def test_keys_of_a_role_are_issued_for_as_long_as_was_asked_for(
    emulator: RunningEmulator, options_for: OptionsFor
) -> None:
    options = options_for(emulator)
    issued = assumed(options, seconds=900)
    assert 898 <= issued.seconds <= 900
    assert issued.keys.token
    identity = caller_identity(options, ConnectionKeys(issued.keys))
    assert (identity.account, "assumed-role" in identity.arn) == (DEFAULT_ACCOUNT, True)


@pytest.mark.parametrize("ahead", [-240, 240])
def test_a_clock_that_is_off_does_not_keep_ended_keys(
    emulator: RunningEmulator, options_for: OptionsFor, ahead: float
) -> None:
    options = options_for(emulator)
    wall_clock = emulator_time(emulator, options) + ahead
    for seconds in (30, 7200):
        issued = assume_role(options, Role(ARN, seconds=seconds), options.keys, now=lambda: wall_clock)
        assert 0 < issued.seconds <= seconds


def emulator_time(emulator: RunningEmulator, options: ClientOptions) -> float:
    identity_of(options)
    return emulator.records()[-1].time


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("AuthFailure.SecretIdNotFound", "Correct SecretId"),
        ("AuthFailure.TokenFailure", "Temporary keys have expired"),
        ("AuthFailure.SignatureExpire", "clock"),
        ("AuthFailure.UnauthorizedOperation", "sts:AssumeRole"),
        ("InvalidParameter.OverTimeError", "role_seconds"),
        ("InvalidParameter.ParamError", "role_arn"),
        ("ResourceNotFound.RoleNotFound", "role_arn"),
        ("UnauthorizedOperation", "sts:AssumeRole"),
        ("SomethingNew", ""),
    ],
)
def test_a_refusal_of_sts_is_the_accounts_fault_with_advice(
    emulator_answering: Callable[[str], RunningEmulator], options_for: OptionsFor, code: str, advice: str
) -> None:
    with pytest.raises(CallError, match="STS refused") as caught:
        assumed(options_for(emulator_answering(code)))
    assert (caught.value.code, caught.value.decision, caught.value.billed) == (code, Decision.ACCOUNT, False)
    assert advice in caught.value.advice
    assert caught.value.request_id


@pytest.mark.parametrize(
    "code",
    [
        "InternalError.DbError",
        "InvalidParameter.OverLimit",
        "RequestLimitExceeded",
        "ServiceUnavailable",
    ],
)
def test_what_may_pass_is_to_be_tried_again(
    emulator_answering: Callable[[str], RunningEmulator], options_for: OptionsFor, code: str
) -> None:
    with pytest.raises(CallError, match="STS") as caught:
        assumed(options_for(emulator_answering(code)))
    assert (caught.value.code, caught.value.decision) == (code, Decision.RETRY)
    assert not caught.value.was_sent


@pytest.fixture
def emulator_answering(
    start_label_emulator: Callable[..., RunningEmulator], tmp_path: Path
) -> Callable[[str], RunningEmulator]:
    """Start an emulator that refuses to let anyone assume a role with this code."""

    def start(code: str) -> RunningEmulator:
        rule = {"match": {"action": "AssumeRole"}, "effect": {"error": code}}
        faults = tmp_path / "faults.json"
        faults.write_text(json.dumps({"rules": [rule]}))
        return start_label_emulator(faults=faults)

    return start


def test_an_sts_that_cannot_be_reached_is_to_be_tried_again() -> None:
    with pytest.raises(
        CallError, match=r"NotConnected: STS: no complete response from 127\.0\.0\.1"
    ) as caught:
        assumed(ClientOptions("AKID", "key", endpoint="127.0.0.1:1", protocol="http"))
    assert (caught.value.decision, caught.value.was_sent) == (Decision.UNREACHABLE, False)


def test_the_password_of_a_proxy_is_left_out() -> None:
    proxy = "http://me:secret-word@127.0.0.1:1"
    allowed = AllowedEndpoints(("http://sts.test",))
    options = ClientOptions("AKID", "key", endpoint="sts.test", protocol="http", proxy=proxy, allowed=allowed)
    with pytest.raises(CallError) as caught:
        identity_of(options)
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b'{"Response": []}',
        b'{"Response": {"RequestId": "r"}}',
        b'{"Response": {"Credentials": {"Token": "t", "TmpSecretId": "i", "TmpSecretKey": "secret-word "},'
        b' "ExpiredTime": 1}}',
        b'{"Response": {"Credentials": {"Token": "t", "TmpSecretId": "i", "TmpSecretKey": "secret-word"},'
        b' "ExpiredTime": "soon"}}',
    ],
)
def test_what_is_no_answer_of_sts_is_to_be_tried_again_and_not_quoted(
    raw_server: Callable[..., RawServer],
    answering: Callable[..., Callable[[Connection], None]],
    body: bytes,
) -> None:
    server = raw_server(answering(http(body)))
    with pytest.raises(CallError) as caught:
        assumed(ClientOptions("AKID", "key", endpoint=server.endpoint, protocol="http"))
    assert caught.value.decision is Decision.RETRY
    assert "secret-word" not in str(caught.value)


def test_an_answer_that_breaks_off_is_to_be_tried_again(
    raw_server: Callable[..., RawServer], answering: Callable[..., Callable[[Connection], None]]
) -> None:
    server = raw_server(answering(http(b'{"Response": {}}')[:-4]))
    options = ClientOptions("AKID", "key", endpoint=server.endpoint, protocol="http", read_timeout=0.3)
    with pytest.raises(CallError) as caught:
        assumed(options)
    assert caught.value.decision is Decision.RETRY


@pytest.mark.parametrize("site", SITES)
def test_sts_is_asked_at_the_site_of_the_account(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def record(transport: Transport, headers: dict[str, str], _body: bytes) -> HttpAnswer:
        asked.append((headers["Host"], headers["X-TC-Region"]))
        return HttpAnswer(b'{"Response": {"AccountId": "1", "Arn": "a"}}')

    monkeypatch.setattr(Transport, "post", record)
    identity_of(ClientOptions("AKID", "key", site=SITES[site]))
    domain = {"intl": "intl.tencentcloudapi.com", "mainland": "tencentcloudapi.com"}[site]
    # The API pages call the region required, for all that it makes no difference.
    assert asked == [(f"sts.{domain}", "ap-guangzhou")]


SECRETS = ("secret-word", "a-token", "Signature=")


@pytest.fixture
def refusal_of(
    raw_server: Callable[..., RawServer], told_by: Callable[[BaseException], str]
) -> Callable[..., CallError]:
    """Ask an STS that treats each connection so; nothing of the request may show in what is raised."""

    def refuse(treat: Callable[[Connection], None], **options: Any) -> CallError:
        server = raw_server(treat)
        with pytest.raises(CallError) as caught:
            assumed(
                ClientOptions(
                    "AKID", "secret-word", "a-token", endpoint=server.endpoint, protocol="http", **options
                )
            )
        assert not [secret for secret in SECRETS if secret in told_by(caught.value)]
        assert (caught.value.was_sent, caught.value.billed) == (False, False)
        return caught.value

    return refuse


def echoing(start: bytes, *, end: bytes = b"") -> Callable[[Connection], None]:
    """Answer with a body that quotes the request's head."""

    def treat(connection: Connection) -> None:
        quoted = json.dumps("\n".join(connection.request()))[1:-1].encode()
        body = start.partition(b"\r\n\r\n")[2] + quoted + end
        head = start.partition(b"\r\n\r\n")[0]
        connection.send(b"%b\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body))

    return treat


def test_a_redirect_is_not_followed_so_that_no_other_host_gets_the_token(
    raw_server: Callable[..., RawServer], refusal_of: Callable[..., CallError]
) -> None:
    other = raw_server(lambda connection: connection.send(b""))
    location = f"Location: http://{other.endpoint}/\r\n"
    head = f"HTTP/1.1 307 Temporary Redirect\r\n{location}Content-Length: 0\r\n\r\n".encode()
    error = refusal_of(lambda connection: connection.send(head) if connection.request() else None)
    assert (error.code, error.decision) == ("ServerNetworkError", Decision.RETRY)
    assert other.connections == 0


def test_a_page_that_quotes_the_request_is_not_quoted(refusal_of: Callable[..., CallError]) -> None:
    error = refusal_of(echoing(b"HTTP/1.1 502 Bad Gateway\r\n\r\n<pre>"))
    assert "HTTP status 502" in error.message


def test_a_message_that_quotes_the_request_lacks_its_secrets(refusal_of: Callable[..., CallError]) -> None:
    start = b'HTTP/1.1 200 OK\r\n\r\n{"Response": {"Error": {"Code": "AuthFailure", "Message": "'
    error = refusal_of(echoing(start, end=b'"}}}'))
    assert "X-TC-Action" in error.message
    assert len(error.message) < 1100


@pytest.mark.parametrize(
    "body",
    [
        b'{"Response": {"AccountId": NaN}}',
        b"[" * 50_000,
        b'{"Response": {"Credentials": {"Token": "t", "TmpSecretId": "i", "TmpSecretKey": "k"},'
        b' "ExpiredTime": NaN}}',
        b'{"Response": {"Credentials": {"Token": "t", "TmpSecretId": "i", "TmpSecretKey": "k"},'
        b' "ExpiredTime": Infinity}}',
        b'{"Response": {"Credentials": {"Token": 1, "TmpSecretId": [], "TmpSecretKey": {}}}}',
        b'{"Response": {"Error": {"Code": 1}}}',
        b"9" * 10_000,
        b"\xff\xfe\x00",
    ],
    ids=["NaN", "deep", "time NaN", "time infinite", "wrong types", "code no text", "long number", "no text"],
)
def test_whatever_sts_answers_is_a_call_error_that_may_pass(
    refusal_of: Callable[..., CallError], answering: Callable[..., Callable[[Connection], None]], body: bytes
) -> None:
    assert refusal_of(answering(http(body))).decision is Decision.RETRY


def test_an_answer_that_drips_ends_with_the_time_of_a_call(refusal_of: Callable[..., CallError]) -> None:
    def drip(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        connection.send_for_ever(b" ", pause=0.02)

    error = refusal_of(drip, call_timeout=0.3)
    assert error.code == "ClientNetworkError.TimedOut"


def test_a_certificate_that_is_not_trusted_stops_with_what_to_do(
    tls_emulator: RunningEmulator, options_for: OptionsFor
) -> None:
    with pytest.raises(CallError) as caught:
        identity_of(options_for(tls_emulator, protocol="https"))
    assert (caught.value.decision, "ca_bundle" in caught.value.advice) == (Decision.ACCOUNT, True)


def test_no_secret_shows_in_what_is_passed_around(emulator: RunningEmulator, options_for: OptionsFor) -> None:
    issued = assumed(options_for(emulator))
    shown = f"{issued!r} {issued.keys!r} {key_source(options_for(emulator, role=Role(ARN)))!r}"
    assert issued.keys.secret_key not in shown
    assert str(issued.keys.token) not in shown
    assert Keys("AKID", "secret-word", "a-token").__repr__() == "Keys(secret_id='AKID')"
