from __future__ import annotations

import pytest

from airflow_provider_permitocr.tencent.endpoints import AllowedEndpoints, is_trusted, origin, sts_host
from airflow_provider_permitocr.tencent.options import ClientOptions


@pytest.mark.parametrize(
    "host",
    [
        "ocr.tencentcloudapi.com",
        "ocr.intl.tencentcloudapi.com",
        "OCR.Tencentcloudapi.com",
        "ocr.ap-singapore.tencentcloudapi.com",
        "ocr.internal.tencentcloudapi.com",
        "sts.tencentcloudapi.com:443",
        "cos.ap-guangzhou.myqcloud.com",
        "cos.accelerate.myqcloud.com",
        "cos-internal.ap-guangzhou.tencentcos.cn",
    ],
)
def test_tencents_hosts_are_trusted_over_tls_alone(host: str) -> None:
    assert is_trusted("https", host)
    assert not is_trusted("http", host)


@pytest.mark.parametrize(
    "host",
    [
        "ocr.tencentcloudapi.com.example.com",
        "ocr-tencentcloudapi.com",
        "eviltencentcloudapi.com",
        "tencentcloudapi.com",
        "ocr.tencentcloudapi.com:8443",
        "ocr.tencentcloudapi.com.",
        "ocr.tencentcloudapi.com\n",
        "ocr.tencentcloudapi.cn",
        "evil-1250000000.cos.ap-guangzhou.myqcloud.com",
        "evil-1250000000.cos-website.ap-guangzhou.myqcloud.com",
        "cos.ap-guangzhou.myqcloud.com.example.com",
        "metadata.tencentyun.com",
        "10.0.0.5",
        "127.0.0.1.example.com",
        "",
    ],
)
def test_hosts_that_only_look_like_tencents_are_not_trusted(host: str) -> None:
    assert not is_trusted("https", host)


@pytest.mark.parametrize("host", ["127.0.0.1:8520", "localhost", "127.9.9.9", "localhost."])
@pytest.mark.parametrize("protocol", ["http", "https"])
def test_this_machine_is_trusted(host: str, protocol: str) -> None:
    AllowedEndpoints().check("host", protocol, host)


@pytest.mark.parametrize(
    ("named", "protocol", "host"),
    [
        ("gateway.test", "https", "gateway.test"),
        ("https://gateway.test/", "https", "gateway.test:443"),
        ("https://Gateway.test:443", "https", "GATEWAY.test"),
        ("http://10.0.0.5:8520", "http", "10.0.0.5:8520"),
        ("a.test, gateway.test b.test", "https", "gateway.test"),
        ("http://ocr.tencentcloudapi.com", "http", "ocr.tencentcloudapi.com"),
    ],
)
def test_a_host_is_allowed_by_the_very_name(named: str, protocol: str, host: str) -> None:
    AllowedEndpoints.read(named, None).check("host", protocol, host)


@pytest.mark.parametrize(
    ("named", "protocol", "host"),
    [
        ("", "https", "gateway.test"),
        ("gateway.test", "http", "gateway.test"),
        ("gateway.test", "https", "gateway.test:8443"),
        ("gateway.test", "https", "gateway.tests"),
        ("gateway.test", "https", "a.gateway.test"),
        ("http://gateway.test", "https", "gateway.test"),
    ],
)
def test_another_name_protocol_or_port_allows_nothing(named: str, protocol: str, host: str) -> None:
    with pytest.raises(ValueError, match=f'"allow_endpoint": "{origin(protocol, host)}"'):
        AllowedEndpoints.read(named, None).check("host", protocol, host)


def test_what_airflows_configuration_lists_bounds_what_a_connection_may_name() -> None:
    allowed = AllowedEndpoints.read("gateway.test, other.test", "https://gateway.test")
    allowed.check("host", "https", "gateway.test")
    with pytest.raises(ValueError, match="AIRFLOW__PERMITOCR__ALLOWED_ENDPOINTS"):
        allowed.check("host", "https", "other.test")


def test_a_host_of_the_configuration_is_still_to_be_named_by_the_connection() -> None:
    with pytest.raises(ValueError, match="allow_endpoint"):
        AllowedEndpoints.read("", "gateway.test").check("host", "https", "gateway.test")


def test_the_configuration_can_rule_all_others_out() -> None:
    with pytest.raises(ValueError, match="allowed_endpoints"):
        AllowedEndpoints.read("gateway.test", "none").check("host", "https", "gateway.test")
    AllowedEndpoints.read("gateway.test", "none").check("host", "https", "ocr.tencentcloudapi.com")


@pytest.mark.parametrize("listed", [None, "", "  "])
def test_without_a_list_the_connection_decides(listed: str | None) -> None:
    AllowedEndpoints.read("gateway.test", listed).check("host", "https", "gateway.test")


@pytest.mark.parametrize("named", ["https://", "*", "*.example.com", "https://a.test/path", "user@a.test"])
def test_what_is_no_host_is_refused(named: str) -> None:
    with pytest.raises(ValueError, match="allow_endpoint must be hosts"):
        AllowedEndpoints.read(named, None)
    with pytest.raises(ValueError, match=r"\[permitocr\] allowed_endpoints must be hosts"):
        AllowedEndpoints.read("", named)


@pytest.mark.parametrize(
    "proxy", ["http://me:secret-word@proxy.test:3128", "proxy.test:3128", "socks5h://proxy.test:1080"]
)
def test_a_proxy_that_could_read_what_passes_has_to_be_named(proxy: str) -> None:
    with pytest.raises(ValueError, match=r"connection's proxy \w+://proxy\.test:\d+ would get") as refused:
        ClientOptions("AKID", "key", endpoint="127.0.0.1:8520", protocol="http", proxy=proxy)
    assert "secret-word" not in str(refused.value)


def test_a_proxy_is_allowed_by_name_on_this_machine_or_where_tls_shuts_it_out() -> None:
    here = {"endpoint": "127.0.0.1:8520", "protocol": "http"}
    named = AllowedEndpoints(("http://proxy.test:3128",))
    assert ClientOptions("AKID", "key", proxy="http://me:pass@proxy.test:3128", allowed=named, **here)  # type: ignore[arg-type]
    assert ClientOptions("AKID", "key", proxy="http://127.0.0.1:3128", **here)  # type: ignore[arg-type]
    assert ClientOptions("AKID", "key", proxy="http://proxy.test:3128")


@pytest.mark.parametrize(
    ("host", "sts"),
    [
        ("ocr.tencentcloudapi.com", "sts.tencentcloudapi.com"),
        ("ocr.intl.tencentcloudapi.com", "sts.intl.tencentcloudapi.com"),
        ("ocr.internal.tencentcloudapi.com", "sts.internal.tencentcloudapi.com"),
        ("ocr.ap-singapore.tencentcloudapi.com", "sts.ap-singapore.tencentcloudapi.com"),
        ("127.0.0.1:8520", "127.0.0.1:8520"),
        ("ocr.gateway.test", "ocr.gateway.test"),
    ],
)
def test_sts_is_asked_beside_the_api(host: str, sts: str) -> None:
    assert sts_host(host, "ocr") == sts


@pytest.mark.parametrize(
    ("protocol", "host"),
    [
        ("https", "ocr.intl.tencentcloudapi.com"),
        ("https", "ocr-gateway.example.com"),
        ("http", "10.0.0.5:8520"),
    ],
)
def test_with_emulator_only_nothing_but_this_machine_is_allowed(protocol: str, host: str) -> None:
    allowed = AllowedEndpoints.read(f"{protocol}://{host}", None, emulator_only=True)
    with pytest.raises(ValueError, match=r"not on this machine, and \[permitocr\] emulator_only"):
        allowed.check("host", protocol, host)
    allowed.check("host", "http", "127.0.0.1:8520")
