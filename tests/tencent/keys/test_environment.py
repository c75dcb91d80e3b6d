from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tencentcloud.common.credential import Credential, EnvironmentVariableCredential, ProfileCredential

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.tencent.keys.credentials import Keys
from airflow_provider_permitocr.tencent.keys.environment import environment_keys, tke_web_identity

BOTH = {"TENCENTCLOUD_SECRET_ID": "AKIDenv", "TENCENTCLOUD_SECRET_KEY": "env-key"}
PROFILE = "[default]\nsecret_id = AKIDfile\nsecret_key = file-key\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a profile, and an environment without keys."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (*BOTH, "TENCENTCLOUD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write_profile(home: Path, text: str) -> None:
    folder = home / ".tencentcloud"
    folder.mkdir()
    (folder / "credentials").write_text(text)


def keys_of_the_sdk() -> Credential:
    return EnvironmentVariableCredential().get_credential() or ProfileCredential().get_credential()


@pytest.mark.parametrize(
    ("variables", "profile"),
    [
        (BOTH, None),
        (BOTH, PROFILE),
        ({}, PROFILE),
        ({}, "[other]\nsecret_id = x\n[default]\nsecret_id=AKIDfile\nsecret_key=file%key\n"),
        ({"TENCENTCLOUD_SECRET_ID": "AKIDenv"}, PROFILE),
        (BOTH | {"TENCENTCLOUD_SECRET_KEY": ""}, PROFILE),
    ],
)
def test_the_keys_are_those_that_the_sdk_finds(
    home: Path, monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str], profile: str | None
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if profile:
        write_profile(home, profile)
    keys, theirs = environment_keys(), keys_of_the_sdk()
    assert (keys.secret_id, keys.secret_key) == (theirs.secret_id, theirs.secret_key)


def test_a_token_belongs_to_the_keys_beside_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_profile(home, PROFILE + "token = file-token\n")
    monkeypatch.setenv("TENCENTCLOUD_TOKEN", "env-token")
    assert environment_keys() == Keys("AKIDfile", "file-key", "file-token")
    for name, value in BOTH.items():
        monkeypatch.setenv(name, value)
    assert environment_keys() == Keys("AKIDenv", "env-key", "env-token")


@pytest.mark.parametrize(
    "profile", [None, "[other]\nsecret_id=x\nsecret_key=y\n", "[default]\nsecret_id=x\n"]
)
def test_without_keys_it_says_where_they_are_looked_for(home: Path, profile: str | None) -> None:
    if profile:
        write_profile(home, profile)
    with pytest.raises(ConfigurationError) as refused:
        environment_keys()
    assert "TENCENTCLOUD_SECRET_ID" in str(refused.value)
    assert "~/.tencentcloud/credentials" in str(refused.value)


@pytest.mark.parametrize("profile", ["secret-word", "[default]\nsecret_id = a\nsecret-word\n"])
def test_a_file_that_is_no_profile_is_named_and_not_quoted(home: Path, profile: str) -> None:
    write_profile(home, profile)
    with pytest.raises(ConfigurationError, match="credentials can't be read") as refused:
        environment_keys()
    assert "secret-word" not in str(refused.value)


def test_keys_that_cannot_be_sent_are_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in BOTH.items():
        monkeypatch.setenv(name, f"{value} \u200b")
    with pytest.raises(ConfigurationError, match=r"TENCENTCLOUD_SECRET_ID.*copy them") as refused:
        environment_keys()
    assert "env-key" not in str(refused.value)


def test_what_tke_has_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TKE_REGION", "ap-guangzhou")
    monkeypatch.delenv("TKE_PROVIDER_ID", raising=False)
    monkeypatch.delenv("TKE_WEB_IDENTITY_TOKEN_FILE", raising=False)
    with pytest.raises(
        ConfigurationError, match="TKE_PROVIDER_ID and TKE_WEB_IDENTITY_TOKEN_FILE are not set"
    ):
        tke_web_identity()
