"""The keys of a privacy policy, which connections hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.fernet import Fernet

from airflow_provider_permitocr import PortraitFolder, Privacy, decrypt
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.files.local_store import LocalStore
from airflow_provider_permitocr.wiring import privacy
from airflow_provider_permitocr.wiring.privacy import StoredPortraits, protection_of

SetConnection = Callable[..., None]


def test_without_a_policy_nothing_is_looked_up() -> None:
    assert not protection_of(None).is_on


def test_keys_that_no_method_needs_are_not_looked_up() -> None:
    assert protection_of(Privacy("analytics")).keys.hmac is None


@pytest.mark.parametrize("policy", [Privacy(number="hmac"), Privacy(name="encrypt")])
def test_a_connection_that_is_missing_is_named(policy: Privacy) -> None:
    with pytest.raises(ConfigurationError, match=r"no connection 'permitocr_(hmac|fernet)', whose password"):
        protection_of(policy)


def test_a_short_key_is_refused_and_not_shown(set_connection: SetConnection) -> None:
    set_connection("permitocr_hmac", conn_type="generic", password="secret")
    with pytest.raises(ConfigurationError, match="16 characters or more; make one with: openssl") as raised:
        protection_of(Privacy(number="hmac"))
    assert "'secret'" not in str(raised.value)


@pytest.mark.parametrize("password", ["not a key", "", ","])
def test_what_is_no_fernet_key_is_refused(set_connection: SetConnection, password: str) -> None:
    set_connection("permitocr_fernet", conn_type="generic", password=password)
    with pytest.raises(ConfigurationError, match="must be a Fernet key"):
        protection_of(Privacy(name="encrypt"))


def test_the_first_of_several_fernet_keys_encrypts(set_connection: SetConnection) -> None:
    new, old = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    set_connection("permitocr_fernet", conn_type="generic", password=f"{new}, {old}")
    token = protection_of(Privacy(name="encrypt")).protect({"name": "陳大文"})["name"]
    assert decrypt(str(token), new) == "陳大文"


@pytest.mark.parametrize(
    "folder",
    [PortraitFolder("s3://mine@bucket/portraits"), PortraitFolder("s3://bucket/portraits", conn_id="mine")],
    ids=["in the URL", "conn_id"],
)
def test_portraits_are_removed_by_the_connection_that_wrote_them(
    folder: PortraitFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def store_of(path: str, conn_id: str | None, _file_mode: int) -> LocalStore:
        opened.append((path, conn_id))
        return LocalStore()

    monkeypatch.setattr(privacy, "store_of", store_of)
    assert StoredPortraits(folder).remove([f"s3://bucket/portraits/{'0a' * 20}.jpg"]) == 1
    assert opened == [("s3://bucket/portraits", "mine")]
