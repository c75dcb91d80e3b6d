from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_permitocr.emulator.options import DEFAULT_ACCOUNT
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.errors import CallError
from airflow_provider_permitocr.permit.api import SITES
from airflow_provider_permitocr.tencent.keys.key_source import key_source
from airflow_provider_permitocr.tencent.keys.trial import Trial, try_account
from airflow_provider_permitocr.tencent.options import ClientOptions
from airflow_provider_permitocr.tencent.transport import HttpAnswer, Transport
from tests.net.proxy import Proxy

OptionsFor = Callable[..., ClientOptions]
Emulators = Callable[..., RunningEmulator]


def tried(options: ClientOptions) -> Trial:
    return try_account(options, key_source(options))


def refusal(options: ClientOptions) -> CallError:
    with pytest.raises(CallError) as caught:
        tried(options)
    return caught.value


@pytest.fixture
def with_fault(start_label_emulator: Emulators, tmp_path: Path) -> Callable[..., RunningEmulator]:
    def start(action: str, **effect: Any) -> RunningEmulator:
        faults = tmp_path / "faults.json"
        faults.write_text(json.dumps({"rules": [{"match": {"action": action}, "effect": effect}]}))
        return start_label_emulator(faults=faults)

    return start


@pytest.mark.parametrize("site", SITES)
def test_a_connection_that_works_is_told_by_a_call_that_nobody_pays_for(
    start_label_emulator: Emulators, options_for: OptionsFor, site: str
) -> None:
    emulator = start_label_emulator(site=site)
    trial = tried(options_for(emulator, site=SITES[site]))
    assert (trial.identity.account, trial.unknown, trial.foreign_endpoint) == (DEFAULT_ACCOUNT, "", None)
    sums = emulator.stats()
    assert (sums["calls"], sums["billed"], sums["answered"]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("FailedOperation.UnOpenError", "Activate Optical Character Recognition"),
        ("FailedOperation.ArrearsError", "Recharge"),
        ("UnauthorizedOperation", "ocr:MainlandPermitOCR"),
        ("ResourceUnavailable.ResourcePackageRunOut", "Buy a package"),
    ],
)
def test_what_the_account_lacks_is_told_with_what_to_do(
    with_fault: Callable[..., RunningEmulator], options_for: OptionsFor, code: str, advice: str
) -> None:
    emulator = with_fault("MainlandPermitOCR", error=code)
    error = refusal(options_for(emulator))
    assert error.code == code
    assert advice in error.advice
    assert emulator.stats()["billed"] == 0


@pytest.mark.parametrize("effect", [{"error": "InternalError"}, {"http_status": 502}, {"error": "New.Code"}])
def test_what_may_pass_leaves_open_whether_the_api_can_be_called(
    with_fault: Callable[..., RunningEmulator], options_for: OptionsFor, effect: dict[str, Any]
) -> None:
    trial = tried(options_for(with_fault("MainlandPermitOCR", **effect)))
    assert trial.unknown
    assert trial.identity.account == DEFAULT_ACCOUNT


@pytest.mark.parametrize(("minutes", "says"), [(7, "7 minutes behind"), (-90, "90 minutes ahead")])
def test_a_clock_that_is_off_is_told_by_how_many_minutes(
    start_label_emulator: Emulators, options_for: OptionsFor, minutes: int, says: str
) -> None:
    import time

    emulator = start_label_emulator(clock=lambda: time.time() + 60 * minutes)
    error = refusal(options_for(emulator))
    assert error.code == "AuthFailure.SignatureExpire"
    assert says in error.advice


@pytest.mark.parametrize("home", SITES)
def test_keys_of_the_other_site_are_told_with_the_site_to_set(
    monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    hosts: list[str] = []

    def post(_: Transport, headers: dict[str, str], _body: bytes) -> HttpAnswer:
        hosts.append(headers["Host"])
        of_intl = ".intl." in headers["Host"]
        error = {"Error": {"Code": "AuthFailure.SecretIdNotFound", "Message": "no"}}
        known = {"AccountId": "1", "Arn": "a"}
        return HttpAnswer(json.dumps({"Response": known if of_intl == (home == "intl") else error}).encode())

    monkeypatch.setattr(Transport, "post", post)
    other = next(site for site in SITES if site != home)
    error = refusal(ClientOptions("AKID", "key", site=SITES[other]))
    assert f"they belong to the site {home}" in error.message
    assert error.advice == f"Set Site (schema) of the connection to {home}"
    assert len(hosts) == 2


def test_keys_that_neither_site_knows_are_told_as_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    error = {"Response": {"Error": {"Code": "AuthFailure.SecretIdNotFound", "Message": "no"}}}
    monkeypatch.setattr(Transport, "post", lambda *_: HttpAnswer(json.dumps(error).encode()))
    assert "Correct SecretId" in refusal(ClientOptions("AKID", "key")).advice


def test_keys_are_sent_to_no_other_site_where_the_host_is_given(
    emulator: RunningEmulator, options_for: OptionsFor
) -> None:
    refusal(options_for(emulator, secret_id="AKIDnobody"))
    assert len(emulator.records()) == 1


def test_a_wrong_protocol_is_told_either_way(
    emulator: RunningEmulator, tls_emulator: RunningEmulator, options_for: OptionsFor
) -> None:
    for options in (options_for(emulator, protocol="https"), options_for(tls_emulator, protocol="http")):
        assert "check the protocol and port" in refusal(options).advice


def test_an_authority_that_is_not_trusted_is_told(
    tls_emulator: RunningEmulator, options_for: OptionsFor
) -> None:
    error = refusal(options_for(tls_emulator, protocol="https"))
    assert error.code == "ClientNetworkError.CertificateRefused"
    assert "ca_bundle" in error.advice


def test_a_proxy_that_refuses_or_is_down_is_told(
    tls_emulator: RunningEmulator, options_for: OptionsFor, proxy: Proxy
) -> None:
    secure = {"protocol": "https", "ca_bundle": str(tls_emulator.ca_file)}
    down = refusal(options_for(tls_emulator, proxy="http://127.0.0.1:1", **secure))
    assert (down.code, "host and proxy" in down.advice) == ("ClientNetworkError.ProxyFailed", True)
    refused = refusal(options_for(tls_emulator, proxy=proxy.url(user="me:wrong-word"), **secure))
    assert refused.code == "ClientNetworkError.ProxyDenied"
    assert "the user and the password" in refused.advice
    assert "wrong-word" not in str(refused)


def test_a_host_that_is_down_is_told() -> None:
    error = refusal(ClientOptions("AKID", "key", endpoint="127.0.0.1:1", protocol="http"))
    assert "host and proxy" in error.advice
