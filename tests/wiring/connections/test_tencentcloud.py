from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.tencent.options import Role
from airflow_provider_permitocr.wiring.connections.tencentcloud import (
    client_options,
    cos_connection,
    find_connection,
    requests_per_slot,
)


def connection(**fields: Any) -> Connection:
    account = {"conn_id": "tc", "conn_type": "tencentcloud", "login": "AKIDx", "password": "secret"}
    return Connection(**(account | fields))


def test_only_the_key_pair_is_needed() -> None:
    options = client_options(connection())
    assert (options.host, options.protocol, options.token) == ("ocr.intl.tencentcloudapi.com", "https", None)
    assert requests_per_slot(connection()) == 1


def test_every_field_of_the_form_is_read() -> None:
    options = client_options(
        connection(
            host="http://127.0.0.1:8080",
            schema="mainland",
            extra='{"token": "t", "region": "ap-guangzhou", "connect_timeout": 1,'
            ' "read_timeout": "2.5", "call_timeout": 9, "proxy": "http://proxy:1"}',
        )
    )
    assert (options.host, options.protocol, options.site.name) == ("127.0.0.1:8080", "http", "mainland")
    assert (options.token, options.region, options.proxy) == ("t", "ap-guangzhou", "http://proxy:1")
    assert (options.connect_timeout, options.read_timeout, options.call_timeout) == (1.0, 2.5, 9.0)


@pytest.mark.parametrize(
    ("fields", "protocol", "host"),
    [
        ({"host": "proxy.test"}, "https", "proxy.test"),
        ({"host": "https://proxy.test/"}, "https", "proxy.test"),
        ({"host": "HTTPS://proxy.test", "port": 8443}, "https", "proxy.test:8443"),
        ({"host": "https://proxy.test:8443", "port": 443}, "https", "proxy.test:8443"),
        ({"host": "127.0.0.1", "port": 8520}, "https", "127.0.0.1:8520"),
        ({"host": " http://127.0.0.1:8520 "}, "http", "127.0.0.1:8520"),
        # What Airflow's test button needs leaves the site's own endpoint as it is.
        ({"port": 443}, "https", "ocr.intl.tencentcloudapi.com"),
    ],
)
def test_host_takes_a_protocol_and_a_port(fields: dict[str, Any], protocol: str, host: str) -> None:
    options = client_options(connection(**fields))
    assert (options.protocol, options.host) == (protocol, host)


def test_empty_fields_of_the_form_count_as_left_out() -> None:
    extra = '{"token": "", "requests_per_slot": null, "read_timeout": ""}'
    options = client_options(connection(host="", schema="", extra=extra))
    assert (options.host, options.token, options.read_timeout) == ("ocr.intl.tencentcloudapi.com", None, 60)
    assert requests_per_slot(connection(extra=extra)) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"login": ""}, "SecretId"),
        ({"password": ""}, "SecretKey"),
        ({"schema": "moon"}, r"Site \(schema\) must be one of intl, mainland"),
        ({"schema": "https"}, r"Site \(schema\) must be one of intl, mainland"),
        ({"extra": '{"site": "mainland"}'}, "belongs into the field Site"),
        ({"host": "ftp://ocr.tencentcloudapi.com"}, "by https or http, not 'ftp'"),
        ({"host": "https://ocr.tencentcloudapi.com/v3"}, "must be a host name"),
        ({"host": "http://ocr.tencentcloudapi.com"}, "in the clear"),
        ({"extra": '{"read_timeout": "soon"}'}, "read_timeout must be a number"),
        ({"extra": '{"read_timeout": 0}'}, "read_timeout"),
        ({"extra": '{"call_timeout": -1}'}, "call_timeout"),
        ({"extra": '{"role_arn": "reader"}'}, "role_arn must be of the form"),
        (
            {"extra": '{"role_arn": "qcs::cam::uin/1:roleName/r", "role_seconds": 1.5}'},
            "role_seconds must be",
        ),
        ({"extra": '{"role_arn": "qcs::cam::uin/1:roleName/r", "role_seconds": 43201}'}, "from 1 to 43200"),
    ],
)
def test_a_wrong_field_is_named_with_the_connection(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"'tc': .*{message}"):
        client_options(connection(**fields))


def test_a_role_is_read_with_its_defaults() -> None:
    arn = "qcs::cam::uin/100000000001:roleName/permit-reader"
    assert client_options(connection()).role is None
    assert client_options(connection(extra=f'{{"role_arn": "{arn}", "role_seconds": ""}}')).role == Role(arn)
    extra = f'{{"role_arn": "{arn}", "role_session_name": "nightly", "role_seconds": "900"}}'
    assert client_options(connection(extra=extra)).role == Role(arn, "nightly", 900)


def test_a_role_is_for_calls_and_not_for_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"role_arn": "qcs::cam::uin/1:roleName/reader", "region": "ap-guangzhou"}
    fields = {"conn_type": "tencentcloud", "login": "AKIDx", "password": "secret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_TC", json.dumps(fields))
    with pytest.raises(ConfigurationError, match=r"'tc': .*storage_conn_id"):
        cos_connection("tc")


@pytest.mark.parametrize("value", ['"many"', "0", "-1"])
def test_requests_per_slot_must_be_a_number_above_zero(value: str) -> None:
    with pytest.raises(ConfigurationError, match="requests_per_slot"):
        requests_per_slot(connection(extra=f'{{"requests_per_slot": {value}}}'))


def test_a_connection_of_another_type_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", '{"conn_type": "postgres"}')
    with pytest.raises(ConfigurationError, match="of type 'postgres', not 'tencentcloud'"):
        find_connection("lake")


def test_a_missing_connection_says_where_a_notebook_takes_it_from(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError) as refused:
        find_connection("nowhere")
    assert "there is no connection 'nowhere'" in str(refused.value)
    variable = str(refused.value).partition("set ")[2].split()[0]

    monkeypatch.setenv(variable, json.dumps({"conn_type": "tencentcloud", "login": "AKIDx"}))
    assert find_connection("nowhere").login == "AKIDx"
