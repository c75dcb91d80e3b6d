from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_permitocr.cli.connection_checks import check_connection, read_account
from airflow_provider_permitocr.cli.findings import Verdict
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.hooks.mainland_permit_ocr import MainlandPermitOcrHook

SetConnection = Callable[..., None]
Connect = Callable[..., None]


def test_valid_credentials_are_fine_and_cost_no_call(
    emulator: RunningEmulator, connect_emulator: Connect
) -> None:
    connect_emulator(emulator)
    finding = check_connection("tencentcloud_default", ask=True)
    assert finding.verdict is Verdict.OK
    assert "credentials are valid" in finding.message
    assert emulator.stats()["calls"] == 0


def test_wrong_credentials_are_told_with_the_fields_to_correct(
    emulator: RunningEmulator, connect_emulator: Connect
) -> None:
    connect_emulator(emulator, password="not-the-secret-key")
    finding = check_connection("tencentcloud_default", ask=True)
    assert finding.verdict is Verdict.WRONG
    assert "AuthFailure" in finding.message
    assert "correct SecretId, SecretKey and site" in finding.remedy
    assert "not-the-secret-key" not in f"{finding}"


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AuthFailure.SignatureExpire", "clock"),
        ("AuthFailure.TokenFailure", "token"),
        ("AuthFailure.SecretIdNotFound", "site"),
        ("InternalError", ""),
    ],
)
def test_each_refusal_has_a_remedy_of_its_own(
    set_connection: SetConnection, monkeypatch: pytest.MonkeyPatch, code: str, remedy: str
) -> None:
    set_connection("tc", conn_type="tencentcloud", login="AKIDx", password="k")
    monkeypatch.setattr(MainlandPermitOcrHook, "test_connection", lambda hook: (False, f"{code}: refused"))
    finding = check_connection("tc", ask=True)
    assert finding.message == f"tc: {code}: refused"
    assert remedy in finding.remedy
    assert bool(finding.remedy) is bool(remedy)


def test_without_asking_only_the_fields_are_read(set_connection: SetConnection) -> None:
    set_connection("tc", conn_type="tencentcloud", login="AKIDx", password="k", host="127.0.0.1", port=1)
    finding = check_connection("tc", ask=False)
    assert finding.verdict is Verdict.OK
    assert "was not asked" in finding.message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"conn_type": "http"}, "it is of type 'http'"),
        ({"login": ""}, "SecretId"),
        ({"extra": {"site": "moon"}}, "site must be one of"),
        ({"extra": {"requests_per_slot": 0}}, "requests_per_slot must be above 0"),
    ],
)
def test_wrong_fields_are_named(
    set_connection: SetConnection, fields: dict[str, object], message: str
) -> None:
    account = {"conn_type": "tencentcloud", "login": "AKIDx", "password": "secret-word"}
    set_connection("tc", **(account | fields))
    finding = check_connection("tc", ask=False)
    assert finding.verdict is Verdict.WRONG
    assert message in finding.message
    assert "secret-word" not in f"{finding}"


def test_a_missing_connection_is_told() -> None:
    assert "there is no connection 'nobody'" in check_connection("nobody", ask=True).message


def test_a_service_that_cannot_be_reached_is_not_taken_for_wrong_keys(set_connection: SetConnection) -> None:
    set_connection("tc", conn_type="tencentcloud", login="AKIDx", password="k", host="127.0.0.1", port=1)
    finding = check_connection("tc", ask=True)
    assert finding.verdict is Verdict.WRONG
    assert "could not be asked: ClientNetworkError" in finding.message
    assert "--offline" in finding.remedy


def test_the_password_of_a_proxy_is_never_shown(set_connection: SetConnection) -> None:
    set_connection(
        "tc",
        conn_type="tencentcloud",
        login="AKIDx",
        password="k",
        extra={"proxy": "http://me:secret-word@127.0.0.1:99999"},
    )
    finding = check_connection("tc", ask=True)
    assert finding.verdict is Verdict.WRONG
    assert "secret-word" not in f"{finding}"


def test_an_account_shows_no_id(set_connection: SetConnection) -> None:
    set_connection(
        "tc", conn_type="tencentcloud", login="AKIDx", password="k", extra={"requests_per_slot": 2.5}
    )
    account = read_account("tc")
    assert (account.secret_id, account.requests_per_slot) == ("AKIDx", 2.5)
    assert "AKIDx" not in f"{account}"
