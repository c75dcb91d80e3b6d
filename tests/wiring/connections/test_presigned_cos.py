from __future__ import annotations

import sys
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from airflow_provider_permitocr import MainlandPermitOcrHook
from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.errors import (
    ConfigurationError,
    ImageRejectedError,
    ImageUnavailableError,
)
from airflow_provider_permitocr.options.lists.image_access import ImageAccess
from airflow_provider_permitocr.wiring.connections.presigned_cos import CosPresigner, presign_with
from tests.support.cos_stand_in import CosStandIn, Keys
from tests.support.row_calls import request_of

BUCKET = "permits-1250000000"
IMAGE = b"image"

SetConnection = Callable[..., None]


@pytest.fixture
def connect(cos_store: CosStandIn, set_connection: SetConnection) -> Callable[..., None]:
    """Define the connection ``tencent``, which leads to the stand-in."""

    def define(password: str = "cos-key", **extra: object) -> None:
        extra = {"cos_endpoint": cos_store.endpoint, "allow_endpoint": cos_store.endpoint} | extra
        set_connection("tencent", conn_type="tencentcloud", login="AKIDcos", password=password, extra=extra)

    return define


def status(url: str | None) -> int:
    assert url
    return requests.get(url, timeout=10).status_code


@pytest.mark.parametrize("key", ["a.jpg", "2026/05/a b+c%20&=?#.jpg", "通行证/正面.jpg"])
def test_anyone_can_download_from_a_presigned_url(
    cos_store: CosStandIn, connect: Callable[..., None], key: str
) -> None:
    connect()
    cos_store.objects[BUCKET, key] = IMAGE
    url = CosPresigner("tencent", 300).presign(f"cosn://{BUCKET}/{key}")
    assert cos_store.seen == []
    assert url
    assert requests.get(url, timeout=10).content == IMAGE


def test_a_presigned_url_is_good_for_its_object_and_time_alone(
    cos_store: CosStandIn, connect: Callable[..., None]
) -> None:
    connect()
    cos_store.objects |= {(BUCKET, "a.jpg"): IMAGE, (BUCKET, "b.jpg"): IMAGE}
    url = CosPresigner("tencent", 120).presign(f"cos://{BUCKET}/a.jpg") or ""

    signed_until = int(parse_qs(urlsplit(url).query)["q-sign-time"][0].partition(";")[2])
    for now, answer in ((signed_until - 120, 200), (signed_until, 200), (signed_until + 1, 403)):
        cos_store.clock = lambda now=now: float(now)  # type: ignore[misc]
        assert status(url) == answer
    cos_store.clock = lambda: float(signed_until)
    assert status(url.replace("a.jpg", "b.jpg")) == 403
    assert requests.head(url, timeout=10).status_code == 403


def test_a_url_signed_with_a_wrong_key_is_refused(
    cos_store: CosStandIn, connect: Callable[..., None]
) -> None:
    connect(password="wrong")
    cos_store.objects[BUCKET, "a.jpg"] = IMAGE
    assert status(CosPresigner("tencent", 300).presign(f"cos://{BUCKET}/a.jpg")) == 403


def test_temporary_credentials_put_their_token_into_the_url(
    cos_store: CosStandIn, connect: Callable[..., None]
) -> None:
    cos_store.keys["AKIDcos"] = Keys("cos-key", token="session+token/=")
    cos_store.objects[BUCKET, "a.jpg"] = IMAGE
    connect(token="session+token/=")
    url = CosPresigner("tencent", 300).presign(f"cos://{BUCKET}/a.jpg") or ""
    assert status(url) == 200
    assert status(url.replace("session", "other")) == 403


def test_a_region_alone_makes_https_urls_of_its_own_host(set_connection: SetConnection) -> None:
    extra = {"region": "ap-guangzhou"}
    set_connection("tencent", conn_type="tencentcloud", login="AKIDcos", password="cos-key", extra=extra)
    url = CosPresigner("tencent", 300).presign(f"cos://{BUCKET}/a.jpg")
    assert (url or "").startswith(
        f"https://{BUCKET}.cos.ap-guangzhou.myqcloud.com/a.jpg?q-sign-algorithm=sha1&"
    )


@pytest.mark.parametrize("uri", ["s3://permits/a.jpg", "/permits/a.jpg", "file:///permits/a.jpg"])
def test_other_images_are_left_to_the_worker(connect: Callable[..., None], uri: str) -> None:
    connect()
    assert CosPresigner("tencent", 300).presign(uri) is None


@pytest.mark.slow
@pytest.mark.parametrize("place", ["", "permits", f"{BUCKET}/", "per_mits/a.jpg", "通行证-125/a.jpg"])
def test_what_can_be_no_object_is_rejected(connect: Callable[..., None], place: str) -> None:
    connect()
    with pytest.raises(ImageRejectedError) as caught:
        CosPresigner("tencent", 300).presign(f"cos://{place}")
    assert caught.value.code == "ImageReferenceUnknown"


def test_a_connection_that_a_row_names_goes_before_and_stops_no_run(
    cos_store: CosStandIn, connect: Callable[..., None], set_connection: SetConnection
) -> None:
    connect()
    cos_store.objects[BUCKET, "a.jpg"] = IMAGE
    wrong = {"cos_endpoint": cos_store.endpoint, "allow_endpoint": cos_store.endpoint}
    set_connection("other", conn_type="tencentcloud", login="AKIDcos", password="wrong", extra=wrong)
    presigner = CosPresigner("other", 300)
    assert status(presigner.presign(f"cos://tencent@{BUCKET}/a.jpg")) == 200
    with pytest.raises(ImageUnavailableError) as caught:
        presigner.presign(f"cos://AKIDx:secret@{BUCKET}/a.jpg")
    assert (caught.value.code, caught.value.is_outage) == ("ImageStoreMissing", True)
    assert "secret" not in caught.value.message


def test_a_wrong_connection_stops_the_run_before_it_starts(set_connection: SetConnection) -> None:
    set_connection("tencent", conn_type="tencentcloud", login="AKIDcos", password="cos-key")
    with pytest.raises(ConfigurationError, match="region of the bucket"):
        MainlandPermitOcrHook("tencent", images=ImageAccess(presign_cos=True)).request_builder()


def test_without_the_sdk_the_extra_is_named(
    connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect()
    monkeypatch.setitem(sys.modules, "qcloud_cos", None)
    with pytest.raises(ConfigurationError, match="pip install cosfs cos-python-sdk-v5"):
        CosPresigner("tencent", 300)


def test_nothing_is_presigned_unless_asked_for(connect: Callable[..., None]) -> None:
    connect()
    assert presign_with(ImageAccess(), "tencent")(f"cos://{BUCKET}/a.jpg") is None
    assert presign_with(ImageAccess(presign_cos=True), "tencent")(f"cos://{BUCKET}/a.jpg")


def test_a_signed_url_shows_up_nowhere(connect: Callable[..., None], all_logged: Callable[[], str]) -> None:
    connect()
    builder = MainlandPermitOcrHook("tencent", images=ImageAccess(presign_cos=True)).request_builder()
    request = request_of(builder, ImageRow("k", f"cos://{BUCKET}/private.jpg"))
    assert "q-signature=" in (request.image_url or "")
    shown = f"{request!r} {all_logged()}"
    assert "q-signature" not in shown
    assert "private" not in shown
    assert "cos-key" not in shown
