from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.tencent.keys.credentials import Keys
from airflow_provider_permitocr.tencent.options import Role
from airflow_provider_permitocr.wiring.connections.tencentcloud import (
    client_options,
    cos_connection,
    find_connection,
    foreign_hosts,
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
            ' "read_timeout": "2.5", "call_timeout": 9, "proxy": "http://proxy:1",'
            ' "allow_endpoint": "http://proxy:1"}',
        )
    )
    assert (options.host, options.protocol, options.site.name) == ("127.0.0.1:8080", "http", "mainland")
    assert (options.token, options.region, options.proxy) == ("t", "ap-guangzhou", "http://proxy:1")
    assert (options.connect_timeout, options.read_timeout, options.call_timeout) == (1.0, 2.5, 9.0)


@pytest.mark.parametrize(
    ("fields", "protocol", "host"),
    [
        ({"host": "ocr.tencentcloudapi.com"}, "https", "ocr.tencentcloudapi.com"),
        ({"host": "https://ocr.tencentcloudapi.com/"}, "https", "ocr.tencentcloudapi.com"),
        ({"host": "HTTPS://127.0.0.1", "port": 8443}, "https", "127.0.0.1:8443"),
        ({"host": "https://127.0.0.1:8443", "port": 443}, "https", "127.0.0.1:8443"),
        ({"host": "127.0.0.1", "port": 8520}, "https", "127.0.0.1:8520"),
        ({"host": " http://127.0.0.1:8520 "}, "http", "127.0.0.1:8520"),
        # What Airflow's test button needs leaves the site's own endpoint as it is.
        ({"port": 443}, "https", "ocr.intl.tencentcloudapi.com"),
        ({"port": 0}, "https", "ocr.intl.tencentcloudapi.com"),
        ({"host": "http://127.0.0.1:8520", "port": 0}, "http", "127.0.0.1:8520"),
        ({"host": "127.0.0.1", "port": 0}, "https", "127.0.0.1"),
        ({"host": "127.0.0.1", "port": None}, "https", "127.0.0.1"),
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
    with pytest.raises(
        ConfigurationError,
        match=r"of type 'postgres', not 'tencentcloud'; change its type, or name another in"
        r" tencentcloud_conn_id$",
    ):
        find_connection("lake")


def test_a_missing_connection_says_where_a_notebook_takes_it_from(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError) as refused:
        find_connection("nowhere")
    assert "there is no connection 'nowhere'" in str(refused.value)
    variable = str(refused.value).partition("set ")[2].split()[0]

    monkeypatch.setenv(variable, json.dumps({"conn_type": "tencentcloud", "login": "AKIDx"}))
    assert find_connection("nowhere").login == "AKIDx"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"host": "ocr.example.com"}, "host https://ocr.example.com would get images"),
        ({"host": "https://ocr.tencentcloudapi.com.example.com"}, "is not Tencent Cloud's"),
        ({"host": "http://ocr.tencentcloudapi.com"}, "in the clear"),
        ({"host": "ocr.example.com", "extra": '{"allow_endpoint": "ocr.example.org"}'}, "allow_endpoint"),
        ({"extra": '{"cos_endpoint": "cos.example.com"}'}, "cos_endpoint https://cos.example.com would get"),
        ({"extra": '{"cos_endpoint": "http://cos.ap-guangzhou.myqcloud.com"}'}, "in the clear"),
        (
            {"host": "http://127.0.0.1:1", "extra": '{"proxy": "http://me:word@a.test:1"}'},
            "proxy http://a.test",
        ),
        ({"extra": '{"allow_endpoint": ["a.test"]}'}, "allow_endpoint must be a text"),
        ({"extra": '{"allow_endpoint": "*"}'}, "allow_endpoint must be hosts"),
    ],
)
def test_images_go_to_no_host_that_is_not_named(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'tc': .*{says}") as refused:
        client_options(connection(**fields))
    assert "word" not in str(refused.value)


def test_a_host_that_is_named_is_shown_as_foreign() -> None:
    extra = {"allow_endpoint": "gateway.test, http://store.test", "cos_endpoint": "http://store.test"}
    named = connection(host="gateway.test", extra=json.dumps(extra))
    assert foreign_hosts(named, client_options(named)) == ["https://gateway.test", "http://store.test"]
    own = connection(extra='{"cos_endpoint": "cos.ap-guangzhou.myqcloud.com"}')
    assert foreign_hosts(own, client_options(own)) == []


@pytest.mark.parametrize("listed", ["none", "https://other.test", "http://gateway.test"])
def test_an_editor_of_connections_cannot_go_beyond_airflows_configuration(
    monkeypatch: pytest.MonkeyPatch, listed: str
) -> None:
    named = connection(host="gateway.test", extra='{"allow_endpoint": "gateway.test"}')
    assert client_options(named).host == "gateway.test"
    monkeypatch.setenv("AIRFLOW__PERMITOCR__ALLOWED_ENDPOINTS", listed)
    with pytest.raises(ConfigurationError, match=r"'tc': .*\[permitocr\] allowed_endpoints"):
        client_options(named)
    monkeypatch.setenv(
        "AIRFLOW__PERMITOCR__ALLOWED_ENDPOINTS", f"{listed}, gateway.test".removeprefix("none, ")
    )
    assert client_options(named).host == "gateway.test"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {"extra": '{"credentials": "cvm"}'},
            "credentials must be one of keys, environment, cvm_role, tke_oidc",
        ),
        ({"extra": '{"credentials": "cvm_role"}'}, "it also has keys; leave SecretId"),
        ({"extra": '{"credentials": true}'}, "credentials must be a text"),
        ({"extra": '{"role_session_name": "nightly"}'}, "fill in role_arn"),
        ({"extra": '{"role_seconds": 900}'}, "fill in role_arn"),
        ({"extra": '{"cvm_role_name": "r"}'}, "set it to cvm_role"),
        ({"login": "", "password": ""}, "set credentials in the extra"),
    ],
)
def test_credentials_that_contradict_themselves_are_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'tc': .*{says}"):
        client_options(connection(**fields))


def test_the_role_of_a_pod_is_tkes_unless_the_connection_names_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arn = "qcs::cam::uin/1:roleName/"
    monkeypatch.setenv("TKE_ROLE_ARN", f"{arn}pod")
    extra = {"credentials": "tke_oidc", "role_session_name": "nightly"}
    pod = connection(login="", password="", extra=json.dumps(extra))
    assert client_options(pod).role == Role(f"{arn}pod", "nightly")
    pod = connection(login="", password="", extra=json.dumps(extra | {"role_arn": f"{arn}other"}))
    assert client_options(pod).role == Role(f"{arn}other", "nightly")
    assert client_options(connection()).role is None


@pytest.mark.parametrize("credentials", ["environment", "cvm_role", "tke_oidc"])
def test_buckets_are_read_with_keys_of_the_connection_alone(
    monkeypatch: pytest.MonkeyPatch, credentials: str
) -> None:
    extra = {"credentials": credentials, "region": "ap-guangzhou"}
    monkeypatch.setenv("AIRFLOW_CONN_TC", json.dumps({"conn_type": "tencentcloud", "extra": extra}))
    with pytest.raises(ConfigurationError, match=r"'tc': .*storage_conn_id"):
        cos_connection("tc")


@pytest.mark.parametrize("port", [0, None, 443])
@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (None, ("https", "ocr.tencentcloudapi.com")),
        ("", ("https", "ocr.tencentcloudapi.com")),
        ("http://127.0.0.1:8520", ("http", "127.0.0.1:8520")),
        ("https://ocr.ap-guangzhou.tencentcloudapi.com", ("https", "ocr.ap-guangzhou.tencentcloudapi.com")),
    ],
)
def test_what_airflows_test_button_makes_of_a_connection_is_read(
    monkeypatch: pytest.MonkeyPatch, host: str | None, expected: tuple[str, str], port: int | None
) -> None:
    from airflow.models.connection import Connection as StoredConnection

    stored = StoredConnection(
        conn_id="tc",
        conn_type="tencentcloud",
        host=host,
        login="AKIDx",
        password="secret",
        schema="mainland",
        port=port,
        extra='{"credentials": "keys", "requests_per_slot": 1, "allow_endpoint": ""}',
    )
    monkeypatch.setenv("AIRFLOW_CONN_TC", stored.get_uri())
    options = client_options(find_connection("tc"))
    assert (options.protocol, options.host.removesuffix(":443")) == expected
    assert (options.site.name, options.keys) == ("mainland", Keys("AKIDx", "secret"))
