from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_permitocr.cli.checks.connection_checks import (
    check_connection,
    note_connection,
    read_account,
)
from airflow_provider_permitocr.cli.checks.findings import Verdict
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.tencent.transport import HttpAnswer, Transport

SetConnection = Callable[..., None]
Connect = Callable[..., None]


def test_valid_credentials_are_fine_and_cost_nothing(
    emulator: RunningEmulator, connect_emulator: Connect
) -> None:
    connect_emulator(emulator)
    finding = check_connection("tencentcloud_default", ask=True)
    assert finding.verdict is Verdict.OK
    assert "credentials are valid" in finding.message
    assert emulator.stats()["billed"] == 0


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

    def refuse(*_: object) -> HttpAnswer:
        error = {"Code": code, "Message": "refused"}
        return HttpAnswer(json.dumps({"Response": {"Error": error, "RequestId": "r"}}).encode())

    monkeypatch.setattr(Transport, "post", refuse)
    finding = check_connection("tc", ask=True)
    assert f"tc: {code}: STS" in finding.message
    assert "refused" in finding.message
    assert remedy in finding.remedy
    assert bool(finding.remedy) is bool(remedy)


def test_without_asking_only_the_fields_are_read(set_connection: SetConnection) -> None:
    set_connection("tc", conn_type="tencentcloud", login="AKIDx", password="k", host="127.0.0.1", port=1)
    finding = check_connection("tc", ask=False)
    assert finding.verdict is Verdict.OK
    assert "were not checked" in finding.message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"conn_type": "http"}, "it is of type 'http'"),
        ({"login": ""}, "SecretId"),
        ({"schema": "moon"}, "Site (schema) must be one of"),
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
    assert "could not be asked: ClientNetworkError.NotConnected: STS: no complete response" in finding.message
    assert "check the connection's host and proxy" in finding.remedy
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
    assert (account.payer, account.requests_per_slot) == ("AKIDx", 2.5)
    assert "AKIDx" not in f"{account}"


@pytest.mark.parametrize(
    ("extra", "payer"),
    [
        ({"role_arn": "qcs::cam::uin/100000000001:roleName/reader"}, "100000000001"),
        ({"account": "100000000002"}, "100000000002"),
        (
            {"account": "100000000002", "role_arn": "qcs::cam::uin/100000000001:roleName/reader"},
            "100000000002",
        ),
    ],
)
def test_keys_of_one_account_are_taken_together_where_the_connections_tell(
    set_connection: SetConnection, extra: dict[str, str], payer: str
) -> None:
    set_connection("tc", conn_type="tencentcloud", login="AKIDx", password="k", extra=extra)
    assert read_account("tc").payer == payer


def test_a_role_is_assumed_to_check_it(emulator: RunningEmulator, connect_emulator: Connect) -> None:
    connect_emulator(emulator, extra={"role_arn": "qcs::cam::uin/100000000001:roleName/reader"})
    finding = check_connection("tencentcloud_default", ask=True)
    assert finding.verdict is Verdict.OK
    assert "assumed-role" in finding.message


def test_a_role_that_may_not_be_assumed_is_told_with_what_to_do(
    start_label_emulator: Callable[..., RunningEmulator], connect_emulator: Connect, tmp_path: Path
) -> None:
    rule = {"match": {"action": "AssumeRole"}, "effect": {"error": "UnauthorizedOperation"}}
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"rules": [rule]}))
    emulator = start_label_emulator(faults=faults)
    connect_emulator(emulator, extra={"role_arn": "qcs::cam::uin/100000000001:roleName/reader"})
    finding = check_connection("tencentcloud_default", ask=True)
    assert finding.verdict is Verdict.WRONG
    assert "UnauthorizedOperation" in finding.message
    assert "sts:AssumeRole" in finding.remedy


def test_a_host_that_is_not_tencents_is_noted(set_connection: SetConnection) -> None:
    extra = {"allow_endpoint": "gateway.test http://store.test", "cos_endpoint": "http://store.test"}
    fields = {"login": "AKIDx", "password": "k", "host": "gateway.test", "extra": extra}
    set_connection("tc", conn_type="tencentcloud", **fields)
    assert check_connection("tc", ask=False).verdict is Verdict.OK
    notes = note_connection("tc")
    assert [each.verdict for each in notes] == [Verdict.NOTE] * 2
    assert "images and signatures go to https://gateway.test" in notes[0].message
    assert "http://store.test" in notes[1].message


def test_a_host_that_nobody_has_allowed_is_wrong_and_not_asked(set_connection: SetConnection) -> None:
    set_connection("tc", conn_type="tencentcloud", login="AKIDx", password="k", host="gateway.test")
    finding = check_connection("tc", ask=True)
    assert finding.verdict is Verdict.WRONG
    assert '"allow_endpoint": "https://gateway.test"' in finding.message
    assert note_connection("tc") == []


def test_an_extra_that_nothing_reads_is_noted(set_connection: SetConnection) -> None:
    set_connection("tc", conn_type="tencentcloud", login="AKIDx", password="k", extra={"owner": "me"})
    (note,) = note_connection("tc")
    assert note.message == "tc: its extra has 'owner', which are not used"


def test_an_account_that_lacks_the_service_is_told(
    start_label_emulator: Callable[..., RunningEmulator], connect_emulator: Connect, tmp_path: Path
) -> None:
    faults = tmp_path / "faults.json"
    rule = {"match": {"action": "MainlandPermitOCR"}, "effect": {"error": "FailedOperation.UnOpenError"}}
    faults.write_text(json.dumps({"rules": [rule]}))
    connect_emulator(start_label_emulator(faults=faults))
    finding = check_connection("tencentcloud_default", ask=True)
    assert finding.verdict is Verdict.WRONG
    assert "activate Optical Character Recognition" in finding.remedy


@pytest.mark.parametrize("credentials", ["cvm_role", "environment", "tke_oidc"])
def test_connections_without_keys_of_their_own_are_taken_for_one_account(
    set_connection: SetConnection, credentials: str
) -> None:
    set_connection("tc", conn_type="tencentcloud", extra={"credentials": credentials})
    set_connection("other", conn_type="tencentcloud", extra={"credentials": credentials})
    assert read_account("tc").payer == read_account("other").payer != ""


def test_what_the_environment_lacks_is_told(
    set_connection: SetConnection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    set_connection("tc", conn_type="tencentcloud", extra={"credentials": "environment"})
    finding = check_connection("tc", ask=True)
    assert finding.verdict is Verdict.WRONG
    assert finding.message.startswith("connection 'tc': credentials is environment, but neither")
