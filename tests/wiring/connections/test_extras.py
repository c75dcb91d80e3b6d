from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.wiring.connections.extras import KNOWN_EXTRAS, check_names, unknown_extras
from airflow_provider_permitocr.wiring.connections.tencentcloud import client_options


def connection(**extra: Any) -> Connection:
    account = {"conn_type": "tencentcloud", "login": "AKIDx", "password": "secret"}
    return Connection(conn_id="tc", **account, extra=json.dumps(extra))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("tokn", "token"),
        ("role-arn", "role_arn"),
        ("rolearn", "role_arn"),
        ("Region", "region"),
        ("credential", "credentials"),
        ("allow_endpoints", "allow_endpoint"),
        ("request_per_slot", "requests_per_slot"),
        ("ca_bundel", "ca_bundle"),
        ("proxy_", "proxy"),
    ],
)
def test_a_misspelled_extra_is_refused_with_the_name_that_was_meant(wrong: str, meant: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'tc': its extra has '{wrong}'.*did you mean '{meant}'"):
        client_options(connection(**{wrong: "secret-word"}))


@pytest.mark.parametrize(
    ("name", "field"),
    [("endpoint", "Endpoint"), ("secret_key", "SecretKey"), ("Secret_Id", "SecretId"), ("site", "Site")],
)
def test_what_has_a_field_of_its_own_is_sent_there_and_not_quoted(name: str, field: str) -> None:
    with pytest.raises(ConfigurationError, match=f"its {name} belongs into the field {field}") as refused:
        client_options(connection(**{name: "secret-word"}))
    assert "secret-word" not in str(refused.value)


def test_what_is_of_somebody_else_is_left_alone() -> None:
    extra = {"owner": "data-platform", "notes": "x", "token": "t"}
    check_names(extra)
    assert unknown_extras(extra) == ["notes", "owner"]
    assert client_options(connection(**extra)).token == "t"


def test_no_name_is_taken_for_another() -> None:
    check_names(dict.fromkeys(KNOWN_EXTRAS, "x"))
