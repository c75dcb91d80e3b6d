"""Each kind of credentials against the emulator: calls, renewal, and a service of keys that is down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_permitocr.emulator.options import (
    DEFAULT_SECRET_ID,
    DEFAULT_SECRET_KEY,
    WebIdentity,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.models import PermitRequest
from airflow_provider_permitocr.errors import CallError, ConfigurationError, Decision
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.keys.credentials import Keys
from airflow_provider_permitocr.tencent.keys.key_source import key_source
from airflow_provider_permitocr.tencent.keys.sts import caller_identity
from airflow_provider_permitocr.tencent.options import ClientOptions, CredentialKind, Role
from airflow_provider_permitocr.tencent.sdk import ocr_client

ROLE = Role("qcs::cam::uin/100000000001:roleName/permit-reader", seconds=3600)
IDENTITY = WebIdentity("cls-1", "a.service.account")
RENEWING = ("role", "cvm_role", "cvm_role and role", "tke_oidc")
KINDS = ("keys", "environment", "environment and role", *RENEWING)


@dataclass
class Place:
    """An emulator, options that lead to it, and a clock for renewals."""

    emulator: RunningEmulator
    options: ClientOptions
    told: list[Keys] = field(default_factory=list)
    now: float = 1000.0

    def keys(self) -> Any:
        return key_source(self.options, mask=self.told.append, clock=lambda: self.now)


@pytest.fixture
def place_of(
    start_label_emulator: Callable[..., RunningEmulator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Place]:
    def make(kind: str) -> Place:
        emulator = start_label_emulator(
            instance_role="permit-reader", instance_role_seconds=3600, web_identities=(IDENTITY,)
        )
        own: dict[str, Any] = (
            {"credentials": CredentialKind(kind.partition(" ")[0])} if kind != "role" else {}
        )
        if kind in ("keys", "role"):
            own |= {"secret_id": DEFAULT_SECRET_ID, "secret_key": DEFAULT_SECRET_KEY}
        if "role" in kind.split() or kind == "tke_oidc":
            own["role"] = ROLE
        monkeypatch.setenv("HOME", str(tmp_path))
        (tmp_path / "token").write_text(IDENTITY.token + "\n")
        for name, value in {
            "TENCENTCLOUD_SECRET_ID": DEFAULT_SECRET_ID,
            "TENCENTCLOUD_SECRET_KEY": DEFAULT_SECRET_KEY,
            "TKE_REGION": "ap-guangzhou",
            "TKE_PROVIDER_ID": IDENTITY.provider_id,
            "TKE_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        }.items():
            monkeypatch.setenv(name, value)
        return Place(emulator, ClientOptions(endpoint=emulator.endpoint, protocol="http", **own))

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_calls_are_made_with_the_keys_of_each_kind(
    place_of: Callable[[str], Place], front: Specimen, kind: str
) -> None:
    place = place_of(kind)
    keys = place.keys()
    with MainlandPermitClient(place.options, keys) as client:
        response = client.recognize(PermitRequest(CardSide.FRONT, image=front.image))
    assert response.fields == front.fields
    assert ("assumed-role" in caller_identity(place.options, keys).arn) is (
        kind in RENEWING or "role" in kind
    )
    assert ocr_client(place.options, keys).credential.get_credential_info()[0] == keys.current().secret_id


@pytest.mark.parametrize("kind", KINDS)
def test_keys_that_are_not_the_connections_own_are_told(place_of: Callable[[str], Place], kind: str) -> None:
    place = place_of(kind)
    current = place.keys().current()
    assert (current in place.told) is (kind != "keys")


@pytest.mark.parametrize("kind", RENEWING)
def test_keys_are_renewed_after_three_quarters_of_their_time(
    place_of: Callable[[str], Place], kind: str
) -> None:
    place = place_of(kind)
    keys = place.keys()
    keys.current()
    issued = len(place.told)
    place.now += 3600 * 0.74
    keys.current()
    assert len(place.told) == issued
    place.now += 3600 * 0.02
    keys.current()
    assert len(place.told) > issued


@pytest.mark.parametrize("kind", RENEWING)
def test_a_service_that_is_down_is_no_fault_until_the_keys_end(
    place_of: Callable[[str], Place], kind: str
) -> None:
    place = place_of(kind)
    keys = place.keys()
    first = keys.current()
    place.emulator.stop()
    place.now += 3600 * 0.8
    assert keys.current() == first
    place.now += 3600 * 0.2
    with pytest.raises(CallError) as caught:
        keys.current()
    assert (caught.value.decision, caught.value.was_sent) == (Decision.UNREACHABLE, False)
    assert caught.value.advice


def test_a_token_that_tke_replaces_is_read_again(place_of: Callable[[str], Place], tmp_path: Path) -> None:
    place = place_of("tke_oidc")
    (tmp_path / "token").write_text("one.that.has.ended")
    keys = place.keys()
    with pytest.raises(CallError, match="WebIdentityTokenError") as caught:
        keys.current()
    assert "TKE's token was refused" in caught.value.advice
    assert "one.that.has.ended" not in str(caught.value)
    (tmp_path / "token").write_text(IDENTITY.token)
    place.now += 1
    assert keys.current().token


def test_a_token_that_cannot_be_read_is_a_fault_for_good(
    place_of: Callable[[str], Place], tmp_path: Path
) -> None:
    place = place_of("tke_oidc")
    (tmp_path / "token").unlink()
    with pytest.raises(CallError, match="No such file") as caught:
        place.keys().current()
    assert caught.value.decision is Decision.ACCOUNT
    assert "TKE_WEB_IDENTITY_TOKEN_FILE" in caught.value.advice


def test_a_token_that_sts_quotes_is_left_out(
    place_of: Callable[[str], Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_of("tke_oidc")
    quoted = "the token a.service.account is of nobody"
    monkeypatch.setattr("airflow_provider_permitocr.emulator.server.message_for", lambda *_: quoted)
    monkeypatch.setenv("TKE_PROVIDER_ID", "another")
    with pytest.raises(CallError) as caught:
        place.keys().current()
    assert "the token *** is of nobody" in str(caught.value)


def test_without_a_role_tke_is_told_to_bind_one(place_of: Callable[[str], Place]) -> None:
    place = place_of("tke_oidc")
    place.options = ClientOptions(credentials=CredentialKind.TKE_OIDC)
    with pytest.raises(ConfigurationError, match="TKE_ROLE_ARN is not set"):
        place.keys()


def test_keys_of_the_environment_may_be_replaced_while_tasks_run(
    place_of: Callable[[str], Place], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, front: Specimen
) -> None:
    place = place_of("environment")
    for name in ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / ".tencentcloud").mkdir()
    profile = tmp_path / ".tencentcloud" / "credentials"
    profile.write_text("[default]\nsecret_id = AKIDgone\nsecret_key = gone\n")
    keys = place.keys()
    profile.write_text(f"[default]\nsecret_id = {DEFAULT_SECRET_ID}\nsecret_key = {DEFAULT_SECRET_KEY}\n")
    with MainlandPermitClient(place.options, keys) as client:
        request = PermitRequest(CardSide.FRONT, image=front.image)
        with pytest.raises(CallError) as caught:
            client.recognize(request)
        assert caught.value.decision is Decision.REPAIR
        assert client.recognize(request).fields == front.fields


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "are empty; fill them in, or set credentials"),
        (
            {"credentials": CredentialKind.CVM_ROLE, "secret_id": "AKID"},
            "credentials is cvm_role, but it also has keys",
        ),
        (
            {"credentials": CredentialKind.TKE_OIDC, "token": "t"},
            "credentials is tke_oidc, but it also has keys",
        ),
        ({"credentials": CredentialKind.ENVIRONMENT, "secret_key": "key"}, "leave SecretId"),
        ({"credentials": CredentialKind.TKE_OIDC, "cvm_role_name": "r"}, "set it to cvm_role"),
        ({"credentials": CredentialKind.CVM_ROLE, "cvm_role_name": "../r"}, "must be a role's name"),
    ],
)
def test_what_contradicts_itself_is_refused_with_what_to_do(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ClientOptions(**changes)
