"""Reading from stores with their real clients: S3 from moto's server, COS from the stand-in."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.errors import (
    ConfigurationError,
    ImageError,
    ImageRejectedError,
    ImageUnavailableError,
)
from airflow_provider_permitocr.images.roots import ImageRoots
from airflow_provider_permitocr.wiring.connections.object_storage import ObjectStorage
from tests.support.cos_stand_in import CosStandIn, Keys

LIMIT = 1000
IMAGE = bytes(range(256))
COS_BUCKET = "permits-1250000000"

SetConnection = Callable[..., None]


@pytest.fixture(scope="module")
def s3_url(s3_endpoint: str, s3_client: Any) -> str:
    """S3 of this module's tests: a bucket with images, and one that lets nobody read."""
    for bucket in ("permits", "closed"):
        s3_client.create_bucket(Bucket=bucket)
    for key in ("a.jpg", "通行证/a b+c%20&=?#.jpg"):
        s3_client.put_object(Bucket="permits", Key=key, Body=IMAGE)
    s3_client.put_object(Bucket="permits", Key="empty.jpg", Body=b"")
    s3_client.put_object(Bucket="permits", Key="huge.jpg", Body=bytes(100 * 1024 * 1024))
    s3_client.put_object(Bucket="closed", Key="a.jpg", Body=IMAGE)
    denied = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::closed/*",
    }
    s3_client.put_bucket_policy(
        Bucket="closed", Policy=json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    )
    return s3_endpoint


@pytest.fixture
def connect_s3(s3_url: str, set_connection: SetConnection) -> Callable[[str], None]:
    """Define a connection of type ``aws``, by its id."""

    def define(conn_id: str) -> None:
        extra = {"endpoint_url": s3_url, "region_name": "us-east-1"}
        set_connection(conn_id, conn_type="aws", login="a", password="b", extra=extra)

    return define


@pytest.fixture
def storage(connect_s3: Callable[[str], None]) -> ObjectStorage:
    """What reads from S3 through ``aws_default``."""
    connect_s3("aws_default")
    return ObjectStorage()


def refusal(storage: ObjectStorage, uri: str, kind: type[ImageError] = ImageUnavailableError) -> ImageError:
    with pytest.raises(ImageError) as caught:
        storage.read(uri, LIMIT)
    assert type(caught.value) is kind
    if isinstance(caught.value, ImageUnavailableError) and not uri.startswith("file:"):
        # What is not there, or denied, is of the image; all else is of the store.
        is_of_image = caught.value.code in ("ImageNotFound", "ImageAccessDenied")
        assert caught.value.is_outage is not is_of_image
    return caught.value


@pytest.mark.slow
@pytest.mark.parametrize("key", ["a.jpg", "通行证/a b+c%20&=?#.jpg"])
def test_an_object_is_read_through_the_stores_default_connection(storage: ObjectStorage, key: str) -> None:
    assert storage.read(f"s3://permits/{key}", LIMIT) == IMAGE


def read_in_notebook(storage: ObjectStorage, uri: str) -> bytes:
    """Read an object in a thread that runs an event loop, as that of a notebook's cells does."""

    async def run_cell() -> bytes:
        return storage.read(uri, LIMIT)

    return asyncio.run(run_cell())


def test_an_object_in_s3_is_read_in_a_notebook(storage: ObjectStorage) -> None:
    assert read_in_notebook(storage, "s3://permits/a.jpg") == IMAGE


def test_a_connection_is_given_for_all_or_named_in_the_url(
    connect_s3: Callable[[str], None], set_connection: SetConnection
) -> None:
    closed = {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 0}}}
    set_connection("aws_default", conn_type="aws", login="a", password="b", extra=closed)
    connect_s3("lake")
    assert ObjectStorage("lake").read("s3://permits/a.jpg", LIMIT) == IMAGE
    assert ObjectStorage().read("S3://lake@permits/a.jpg", LIMIT) == IMAGE


def test_without_any_connection_what_the_machine_has_is_taken(
    s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_ENDPOINT_URL_S3": s3_url,
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    assert ObjectStorage().read("s3://permits/a.jpg", LIMIT) == IMAGE


def test_of_a_huge_object_one_byte_more_than_wanted_is_read(
    storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from s3fs import S3FileSystem

    calls: list[dict[str, Any]] = []
    call = S3FileSystem._call_s3

    async def note(self: Any, method: str, *arguments: Any, **options: Any) -> Any:
        calls.append({"method": method} | options)
        return await call(self, method, *arguments, **options)

    monkeypatch.setattr(S3FileSystem, "_call_s3", note)

    assert len(storage.read("s3://permits/huge.jpg", LIMIT)) == LIMIT + 1
    assert [(each["method"], each["Range"]) for each in calls] == [("get_object", f"bytes=0-{LIMIT}")]


def test_an_empty_object_is_read_as_such(storage: ObjectStorage) -> None:
    assert storage.read("s3://permits/empty.jpg", LIMIT) == b""


@pytest.mark.slow
def test_many_threads_share_a_store_and_look_its_connection_up_for_all(
    storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    get = Connection.get.__func__  # type: ignore[attr-defined]

    def note(cls: type[Connection], conn_id: str) -> Connection:
        asked.append(conn_id)
        found: Connection = get(cls, conn_id)
        return found

    monkeypatch.setattr(Connection, "get", classmethod(note))
    start = threading.Barrier(16)

    def read(_number: int) -> list[bytes]:
        start.wait()
        return [storage.read("s3://permits/a.jpg", LIMIT) for _ in range(5)]

    with ThreadPoolExecutor(16) as threads:
        images = [image for each in threads.map(read, range(16)) for image in each]

    assert images == [IMAGE] * 80
    # To see whether there is one, and by the store's own hook.
    assert asked == ["aws_default"] * 2


@pytest.mark.parametrize("place", ["permits/none.jpg", "no-such-bucket/a.jpg"])
def test_what_is_missing_is_tried_again_by_the_next_run(storage: ObjectStorage, place: str) -> None:
    assert refusal(storage, f"s3://{place}").code == "ImageNotFound"


def test_a_bucket_that_denies_access_says_so_and_nothing_of_its_own(storage: ObjectStorage) -> None:
    error = refusal(storage, "s3://closed/a.jpg")
    assert error.code == "ImageAccessDenied"
    assert "closed" not in error.message
    assert "a.jpg" not in error.message


def test_a_store_that_does_not_answer_is_tried_again_by_the_next_run(set_connection: SetConnection) -> None:
    extra = {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 0}}}
    set_connection("aws_default", conn_type="aws", login="a", password="b", extra=extra)
    error = refusal(ObjectStorage(), "s3://permits/a.jpg")
    assert (error.code, "EndpointConnectionError" in error.message) == ("ImageUnreadable", True)


def test_a_store_that_cannot_be_opened_is_asked_again_after_a_minute(
    set_connection: SetConnection, connect_s3: Callable[[str], None]
) -> None:
    set_connection("aws_default", conn_type="aws", extra={"profile_name": "nowhere"})
    now = [0.0]
    storage = ObjectStorage(clock=lambda: now[0])
    assert "ProfileNotFound" in refusal(storage, "s3://permits/a.jpg").message
    connect_s3("aws_default")
    now[0] = 59.9
    assert refusal(storage, "s3://permits/a.jpg").code == "ImageUnreadable"
    now[0] = 60.0
    assert storage.read("s3://permits/a.jpg", LIMIT) == IMAGE


@pytest.mark.parametrize(
    ("scheme", "package"),
    [
        ("gs", "apache-airflow-providers-google"),
        ("abfs", "apache-airflow-providers-microsoft-azure"),
    ],
)
def test_of_a_store_without_its_provider_the_package_is_named(scheme: str, package: str) -> None:
    error = refusal(ObjectStorage(), f"{scheme}://permits/a.jpg")
    assert (error.code, package in error.message) == ("ImageStoreMissing", True)


@pytest.mark.parametrize(
    ("scheme", "module", "packages"),
    [("s3", "s3fs", "'apache-airflow-providers-amazon[s3fs]'"), ("cos", "cosfs", "cosfs cos-python-sdk-v5")],
)
def test_of_a_store_without_its_client_the_packages_are_named(
    scheme: str,
    module: str,
    packages: str,
    storage: ObjectStorage,
    set_connection: SetConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    for _ in range(2):
        error = refusal(storage, f"{scheme}://permits/a.jpg")
        assert error.code == "ImageStoreMissing"
        assert f"pip install {packages}" in error.message


@pytest.mark.parametrize(
    "uri",
    ["s3://permits", "s3://permits/", "s3:///a.jpg", "s3://"],
)
def test_a_url_that_leads_nowhere_is_rejected(storage: ObjectStorage, uri: str) -> None:
    assert refusal(storage, uri, ImageRejectedError).code == "ImageReferenceUnknown"


def test_a_missing_connection_stops_the_run_before_it_starts() -> None:
    with pytest.raises(ConfigurationError, match=r"'nowhere'.*storage_conn_id"):
        ObjectStorage("nowhere")


def test_a_connection_that_a_row_names_stops_no_run(set_connection: SetConnection) -> None:
    set_connection("lake", conn_type="aws", login="a", password="b")
    for conn_id in ("nowhere", "lake", "AKIDx:secret"):
        error = refusal(ObjectStorage(), f"cos://{conn_id}@{COS_BUCKET}/a.jpg")
        assert error.code == "ImageStoreMissing"
        assert conn_id not in error.message


@pytest.mark.parametrize(
    "extra",
    [{}, {"region": "a_b"}, {"role_arn": "qcs::cam::uin/1:roleName/r", "region": "ap-guangzhou"}],
    ids=["no region", "no such region", "role"],
)
def test_a_wrong_connection_is_the_fault_of_the_rows_that_need_it_alone(
    extra: dict[str, str], set_connection: SetConnection
) -> None:
    set_connection("tencentcloud_default", conn_type="tencentcloud", login="a", password="b", extra=extra)
    error = refusal(ObjectStorage(), f"cos://{COS_BUCKET}/a.jpg")
    assert error.code == "ImageStoreMissing"
    assert "tencentcloud_default" in error.message
    assert ("region of the bucket" in error.message) is ("role_arn" not in extra)
    assert ("storage_conn_id" in error.message) is ("role_arn" in extra)


@pytest.mark.parametrize("uri", ["oss://permits/a.jpg", "quux://permits/a.jpg", "local://etc/passwd"])
def test_an_unknown_scheme_settles_no_image_and_is_said_once(
    uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    storage = ObjectStorage()
    scheme = uri.partition("/")[0]
    for number in range(3):
        error = refusal(storage, uri + str(number))
        assert (error.code, f"{scheme}//" in error.message) == ("ImageStoreMissing", True)
    (warning,) = (each for each in caplog.messages if scheme in each)
    assert "retry" in warning
    assert "permits" not in warning


def test_an_unknown_scheme_that_is_none_is_not_quoted() -> None:
    error = refusal(ObjectStorage(), "c1234567890123456789://permits/a.jpg")
    assert "c123" not in error.message


def test_files_are_read_without_any_connection(tmp_path: Path) -> None:
    file = tmp_path / "a b.jpg"
    file.write_bytes(IMAGE * 10)
    storage = ObjectStorage()
    assert (
        storage.read(str(file), LIMIT) == storage.read(file.as_uri(), LIMIT) == file.read_bytes()[: LIMIT + 1]
    )
    os.mkfifo(tmp_path / "pipe")
    for name, code in (("none", "ImageNotFound"), ("pipe", "ImageUnreadable")):
        assert refusal(storage, (tmp_path / name).as_uri()).code == code


@pytest.fixture
def cos(cos_store: CosStandIn, set_connection: SetConnection) -> CosStandIn:
    """COS with an image, behind the connection ``tencent``."""
    cos_store.objects[COS_BUCKET, "a.jpg"] = IMAGE
    extra = {"cos_endpoint": cos_store.endpoint, "allow_endpoint": cos_store.endpoint}
    set_connection("tencent", conn_type="tencentcloud", login="AKIDcos", password="cos-key", extra=extra)
    return cos_store


def test_cos_is_read_through_the_operators_own_connection(cos: CosStandIn) -> None:
    cos.objects[COS_BUCKET, "huge.jpg"] = bytes(LIMIT * 10)
    storage = ObjectStorage(cos_conn_id="tencent")
    assert storage.read(f"cos://{COS_BUCKET}/a.jpg", LIMIT) == IMAGE
    assert storage.read(f"COSN://{COS_BUCKET}/a.jpg", LIMIT) == IMAGE
    assert len(storage.read(f"cos://{COS_BUCKET}/huge.jpg", LIMIT)) == LIMIT + 1
    assert [seen.sent for seen in cos.seen] == [len(IMAGE), len(IMAGE), LIMIT + 1]


def test_an_object_in_cos_is_read_in_a_notebook(cos: CosStandIn) -> None:
    assert read_in_notebook(ObjectStorage("tencent"), f"cos://{COS_BUCKET}/a.jpg") == IMAGE


@pytest.mark.parametrize(
    ("key", "buckets", "code"),
    [
        ("none.jpg", None, "ImageNotFound"),
        ("a.jpg", ("others-1250000000",), "ImageAccessDenied"),
    ],
)
def test_cos_says_why_an_object_cannot_be_read(
    cos: CosStandIn, key: str, buckets: tuple[str, ...] | None, code: str
) -> None:
    cos.keys["AKIDcos"] = Keys("cos-key", buckets=buckets)
    error = refusal(ObjectStorage("tencent"), f"cos://{COS_BUCKET}/{key}")
    assert error.code == code
    assert COS_BUCKET not in error.message


def test_an_empty_object_of_cos_is_read_as_such(cos: CosStandIn) -> None:
    cos.objects[COS_BUCKET, "empty.jpg"] = b""
    assert ObjectStorage("tencent").read(f"cos://{COS_BUCKET}/empty.jpg", LIMIT) == b""


@pytest.mark.slow
def test_cos_is_asked_again_when_it_refuses_for_the_rate(cos: CosStandIn) -> None:
    cos.slow_down = 2
    assert ObjectStorage("tencent").read(f"cos://{COS_BUCKET}/a.jpg", LIMIT) == IMAGE
    cos.slow_down = 100
    assert refusal(ObjectStorage("tencent"), f"cos://{COS_BUCKET}/a.jpg").code == "ImageUnreadable"


def test_nothing_of_an_object_is_logged(
    all_logged: Callable[[], str],
    cos: CosStandIn,
    storage: ObjectStorage,
    s3_client: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cos.objects[COS_BUCKET, "private.jpg"] = IMAGE
    s3_client.put_object(Bucket="permits", Key="private.jpg", Body=IMAGE)
    before = all_logged()
    # As with S3FS_LOGGING_LEVEL=DEBUG, once s3fs is imported.
    import s3fs.core

    s3fs.core.setup_logging(level="DEBUG")
    uris = f"cos://tencent@{COS_BUCKET}/private", "s3://permits/private"
    for uri in uris:
        assert storage.read(f"{uri}.jpg", LIMIT) == IMAGE
        refusal(storage, f"{uri}-other.jpg")
    logged = all_logged().removeprefix(before)
    assert not [each for each in ("private", "cos-key", "q-signature", "Signature=") if each in logged]


@given(st.text())
def test_whatever_a_url_is_it_is_read_or_refused(rest: str) -> None:
    storage = ObjectStorage()
    for scheme in ("gs", "quux", rest.partition(":")[0] or "x"):
        if scheme.lower() not in ("s3", "s3a", "s3n", "cos"):
            with suppress(ImageError):
                storage.read(f"{scheme}://{rest}", LIMIT)


def test_objects_and_connections_outside_the_roots_are_refused_before_any_store_is_opened(
    connect_s3: Callable[[str], None], tmp_path: Path
) -> None:
    connect_s3("aws_default")
    connect_s3("other")
    storage = ObjectStorage(roots=ImageRoots(["s3://permits", str(tmp_path)]))
    (tmp_path / "a.jpg").write_bytes(IMAGE)
    assert storage.read("s3://permits/a.jpg", LIMIT) == IMAGE
    assert storage.read(f"{tmp_path}/a.jpg", LIMIT) == IMAGE
    for uri in ("s3://closed/a.jpg", "s3://other@permits/a.jpg", "/etc/hostname", "file:///etc/hostname"):
        with pytest.raises(ImageUnavailableError) as caught:
            storage.read(uri, LIMIT)
        assert (caught.value.code, caught.value.is_outage) == ("ImagePathRefused", True)
