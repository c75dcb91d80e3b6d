from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import store as airflow_stores

from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.filesystems.cos import get_fs
from tests.support.cos_stand_in import CosStandIn, Keys

BUCKET = "permits-1250000000"

Connect = Callable[..., None]


@pytest.fixture
def connect(
    cos_store: CosStandIn, set_connection: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Connect:
    """Define ``cos_conn``, which leads to the stand-in; extras by name."""
    # Airflow keeps file systems for as long as the process runs.
    monkeypatch.setattr(airflow_stores, "_STORE_CACHE", {})

    def define(conn_id: str = "cos_conn", password: str = "cos-key", **extra: Any) -> None:
        set_connection(
            conn_id,
            conn_type="tencentcloud",
            login="AKIDcos",
            password=password,
            extra={"cos_endpoint": cos_store.endpoint, "allow_endpoint": cos_store.endpoint} | extra,
        )

    return define


@pytest.mark.parametrize("key", ["a.jpg", "2026/05/a b+c%20&=?.jpg", "通行证/正面.jpg"])
def test_a_path_with_a_connection_is_written_and_read(
    cos_store: CosStandIn, connect: Connect, key: str
) -> None:
    connect()
    path = ObjectStoragePath(f"cos://cos_conn@{BUCKET}") / key

    path.write_bytes(b"image")

    assert cos_store.objects == {(BUCKET, key): b"image"}
    assert path.read_bytes() == b"image"


def test_without_a_connection_the_default_one_is_taken(cos_store: CosStandIn, connect: Connect) -> None:
    connect("tencentcloud_default")
    cos_store.objects[BUCKET, "a"] = b"image"
    assert get_fs(None).cat_file(f"cos://{BUCKET}/a") == b"image"


def test_a_part_of_an_object_is_read_by_one_ranged_request(cos_store: CosStandIn, connect: Connect) -> None:
    connect()
    cos_store.objects[BUCKET, "a"] = bytes(range(256))
    assert get_fs("cos_conn").cat_file(f"{BUCKET}/a", start=10, end=20) == bytes(range(10, 20))
    (seen,) = cos_store.seen
    assert (seen.range, seen.sent) == ("bytes=10-19", 10)


def test_temporary_credentials_bring_their_token(
    cos_store: CosStandIn, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    cos_store.keys["AKIDcos"] = Keys("cos-key", token="session-token")
    cos_store.objects[BUCKET, "a"] = b"image"
    connect(token="session-token")
    connect("lasting")
    assert get_fs("cos_conn").cat_file(f"{BUCKET}/a") == b"image"
    # cosfs itself would take this one for want of another, whoever's it is.
    monkeypatch.setenv("COS_TOKEN", "session-token")
    with pytest.raises(PermissionError):
        get_fs("lasting").cat_file(f"{BUCKET}/a")


def test_a_wrong_key_is_refused(cos_store: CosStandIn, connect: Connect) -> None:
    connect(password="wrong")
    cos_store.objects[BUCKET, "a"] = b"image"
    with pytest.raises(PermissionError, match="SignatureDoesNotMatch"):
        get_fs("cos_conn").cat_file(f"{BUCKET}/a")


def test_a_request_that_is_signed_for_another_time_is_refused(
    cos_store: CosStandIn, connect: Connect
) -> None:
    connect()
    cos_store.objects[BUCKET, "a"] = b"image"
    cos_store.clock = lambda: 4e9
    with pytest.raises(PermissionError):
        get_fs("cos_conn").cat_file(f"{BUCKET}/a")


def test_a_missing_object_is_a_missing_file(cos_store: CosStandIn, connect: Connect) -> None:
    connect()
    with pytest.raises(FileNotFoundError):
        get_fs("cos_conn").cat_file(f"{BUCKET}/a")


def test_a_changed_connection_is_read_anew(cos_store: CosStandIn, connect: Connect) -> None:
    cos_store.objects[BUCKET, "a"] = b"image"
    connect(password="wrong")
    get_fs("cos_conn")
    connect()
    assert get_fs("cos_conn").cat_file(f"{BUCKET}/a") == b"image"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"cos_endpoint": None}, "'cos_conn': .* region of the bucket"),
        ({"cos_endpoint": None, "region": "https://x"}, "region"),
        ({"cos_endpoint": "ftp://x"}, "cos_endpoint must be a host"),
        ({"cos_endpoint": "http://a/b"}, "cos_endpoint must be a host"),
        ({"cos_endpoint": "http://a", "allow_endpoint": "https://a"}, 'set "allow_endpoint": "http://a"'),
    ],
)
def test_a_wrong_field_is_named_with_the_connection(
    connect: Connect, extra: dict[str, Any], message: str
) -> None:
    connect(**extra)
    with pytest.raises(ConfigurationError, match=message):
        get_fs("cos_conn")


def test_the_region_alone_tells_where_the_buckets_are(connect: Connect) -> None:
    connect(cos_endpoint=None, region="ap-hongkong")
    url = get_fs("cos_conn")._cos_client.get_object_url(BUCKET, "a")
    assert url == f"https://{BUCKET}.cos.ap-hongkong.myqcloud.com/a"


def test_the_proxy_of_the_connection_is_used(connect: Connect, cos_store: CosStandIn) -> None:
    cos_store.objects[BUCKET, "a"] = b"image"
    # The stand-in itself, as it takes a proxy's request line too.
    proxy = cos_store.endpoint.replace("//", "//proxy.")
    connect(
        cos_endpoint="http://nowhere.invalid", proxy=proxy, allow_endpoint=f"http://nowhere.invalid {proxy}"
    )
    with pytest.raises(FileNotFoundError):
        get_fs("cos_conn").cat_file(f"{BUCKET}/b")
    assert len(cos_store.seen) == 1


def test_without_cosfs_the_extra_is_named(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    connect()
    monkeypatch.setitem(sys.modules, "cosfs", None)
    with pytest.raises(ImportError, match="pip install cosfs cos-python-sdk-v5"):
        get_fs("cos_conn")


def test_nothing_of_an_object_is_logged(
    cos_store: CosStandIn, connect: Connect, all_logged: Callable[[], str]
) -> None:
    connect()
    cos_store.objects[BUCKET, "private-key.jpg"] = b"image"
    filesystem = get_fs("cos_conn")
    filesystem.cat_file(f"{BUCKET}/private-key.jpg")
    with pytest.raises(FileNotFoundError):
        filesystem.cat_file(f"{BUCKET}/private-other.jpg")
    filesystem.pipe_file(f"{BUCKET}/private-key.jpg", b"another image")
    with suppress(OSError):  # it warns first
        filesystem.rm_file(f"{BUCKET}/private-key.jpg")
    assert not [each for each in ("private", "q-signature", "cos-key") if each in all_logged()]
