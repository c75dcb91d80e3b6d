from __future__ import annotations

import base64
import hashlib
import os
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from airflow_provider_permitocr.engine.models import ImageFacts, ImageRow, PermitRequest, UnfitImage
from airflow_provider_permitocr.images.formats.inspection import InspectedImage
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
from airflow_provider_permitocr.permit.api import SITES, CardSide, Site
from airflow_provider_permitocr.permit.status import Status
from tests.support.row_calls import request_of, unfit

MEGABYTE = 1024 * 1024


def drawn(image_format: str) -> bytes:
    file = BytesIO()
    Image.new("L", (8, 8), "grey").save(file, image_format)
    return file.getvalue()


def digest(image: bytes) -> str:
    return hashlib.sha256(image).hexdigest()


PNG = drawn("PNG")
JPEG = drawn("JPEG")

sites = pytest.mark.parametrize("site", SITES.values(), ids=SITES)


def request_for(image: Any, max_base64_bytes: int = MEGABYTE, **options: Any) -> PermitRequest:
    builder = PermitRequestBuilder(max_base64_bytes=max_base64_bytes)
    return request_of(builder, ImageRow("k", image, **options))


def refusal(image: Any, max_base64_bytes: int = MEGABYTE) -> UnfitImage:
    return unfit(PermitRequestBuilder(max_base64_bytes=max_base64_bytes), ImageRow("k", image))


def largest(site: Site) -> int:
    """The most bytes whose base64 still fits; counted down from too many, not computed as the code does."""
    size = site.max_base64_bytes
    while (size + 2) // 3 * 4 > site.max_base64_bytes:
        size -= 1
    return size


@pytest.mark.slow
@sites
def test_an_image_may_be_exactly_as_large_as_the_site_takes(site: Site, tmp_path: Path) -> None:
    image = PNG.ljust(largest(site), b"\x00")
    assert len(base64.b64encode(image)) <= site.max_base64_bytes
    file = tmp_path / "permit.png"
    file.write_bytes(image)
    for value in (image, str(file)):
        assert request_for(value, site.max_base64_bytes).image == image


@pytest.mark.slow
@sites
def test_one_byte_more_is_too_large(site: Site, tmp_path: Path) -> None:
    image = PNG.ljust(largest(site) + 1, b"\x00")
    assert len(base64.b64encode(image)) > site.max_base64_bytes
    file = tmp_path / "permit.png"
    file.write_bytes(image)
    for value in (image, str(file)):
        error = refusal(value, site.max_base64_bytes)
        assert error.status is Status.REJECTED
        assert error.code == "ImageTooLarge"
        assert f"more than {largest(site):,} bytes" in error.message


@given(st.integers(4, 400), st.integers(0, 400))
def test_the_limit_counts_bytes_after_base64(max_base64_bytes: int, padding: int) -> None:
    image = PNG + b"\x00" * padding
    if len(base64.b64encode(image)) <= max_base64_bytes:
        assert request_for(image, max_base64_bytes).image == image
    else:
        assert refusal(image, max_base64_bytes).code == "ImageTooLarge"


@pytest.mark.parametrize("image", [None, "", b""])
def test_a_row_without_image_is_rejected(image: str | bytes | None) -> None:
    error = refusal(image)
    assert error.status is Status.REJECTED
    assert error.code == "ImageMissing"


HTML = b"<!DOCTYPE html><html><title>Please log in</title></html>"
#: What is found where an image should be, and may be an image later.
NOT_YET = {
    "nothing": (b"", "ImageEmpty"),
    "HTML": (HTML, "ImageWrongContent"),
    "HTML without its head": (b"\r\n <body>502 Bad Gateway</body>", "ImageWrongContent"),
    "XML": (b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>', "ImageWrongContent"),
    "JSON": (b'{"code": 401, "message": "token expired"}', "ImageWrongContent"),
    "a list in JSON": (b'[{"error": 1}]', "ImageWrongContent"),
    "plain text": ("暂时无法访问".encode(), "ImageWrongContent"),
    "room for a file": (bytes(5000), "ImageWrongContent"),
    "a few bytes": (PNG[:7], "ImageTruncated"),
    "half of a PNG": (PNG[:-30], "ImageTruncated"),
    "half of a JPEG": (JPEG[:99], "ImageTruncated"),
    "a JPEG without its end": (JPEG[:-2], "ImageTruncated"),
}


@pytest.mark.parametrize(("content", "code"), NOT_YET.values(), ids=NOT_YET)
def test_what_is_no_whole_image_yet_is_tried_again(content: bytes, code: str, tmp_path: Path) -> None:
    file = tmp_path / "permit.png"
    file.write_bytes(content)
    builder = PermitRequestBuilder(max_base64_bytes=MEGABYTE, download=lambda _url, _most: content)
    for reference in (str(file), "https://scans.example.com/permit.png"):
        found = unfit(builder, ImageRow("k", reference))
        assert (found.status, found.code, found.counts) == (Status.RETRY, code, True)
        assert found.facts.size == len(content)


@pytest.mark.parametrize(("content", "code"), list(NOT_YET.values())[1:], ids=list(NOT_YET)[1:])
def test_the_same_in_the_list_itself_is_rejected(content: bytes, code: str) -> None:
    error = refusal(content)
    assert error.status is Status.REJECTED
    assert error.code == code


@pytest.mark.parametrize("content", [b"PK\x03\x04" + bytes(40), b"\x1a\x45\xdf\xa3" + bytes(40)])
def test_a_file_of_another_kind_is_rejected(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "permit.png"
    file.write_bytes(content)
    error = refusal(str(file))
    assert error.status is Status.REJECTED
    assert error.code == "ImageFormatUnsupported"


def test_a_url_is_left_to_the_api_unread() -> None:
    request = request_for("https://x/a.gif?sign=1")
    assert (request.image_url, request.image) == ("https://x/a.gif?sign=1", None)


def test_side_and_portrait_are_passed_on() -> None:
    row = ImageRow("k", PNG, CardSide.BACK)
    request = request_of(PermitRequestBuilder(max_base64_bytes=MEGABYTE, with_portrait=True), row)
    assert (request.card_side, request.with_portrait) == (CardSide.BACK, True)


@pytest.mark.parametrize("name", ["permit.png", "a permit 100%.png", "通行证.png"])
def test_a_file_is_found_by_path_and_by_url(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(PNG)
    url = file.as_uri()
    for reference in (str(file), url, url.replace("file://", "FILE://localhost")):
        assert request_for(reference).image == PNG


def test_a_missing_file_is_tried_again_by_the_next_run(tmp_path: Path) -> None:
    error = refusal(str(tmp_path / "permit.png"))
    assert error.status is Status.RETRY
    assert error.code == "ImageNotFound"


@pytest.mark.parametrize(
    "name", ["", "x" * 300, "a\x00b", "a\ud800b"], ids=["directory", "long", "NUL", "lone"]
)
def test_a_path_that_cannot_be_read_is_tried_again_by_the_next_run(name: str, tmp_path: Path) -> None:
    error = refusal(f"{tmp_path}/{name}")
    assert error.status is Status.RETRY
    assert error.code == "ImageUnreadable"


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_not_even_opened(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "permit.png"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    error = refusal(str(path))
    assert (error.code, error.message) == ("ImageUnreadable", "the path is not a regular file")


@pytest.mark.parametrize("named", ["GIF", "BMP", "TIFF", "WEBP", "PDF"])
def test_without_a_converter_a_foreign_format_is_rejected_with_what_would_help(named: str) -> None:
    error = refusal(drawn(named))
    assert error.status is Status.REJECTED
    assert error.code == "ImageFormatUnsupported"
    assert error.message == (
        f"the image is {named}; the API reads PNG and JPEG only; to have it converted, run: pip install"
        " pillow pi-heif pypdfium2"
    )


def test_what_no_converter_reads_is_rejected_without_advice() -> None:
    error = refusal(b"PK\x03\x04" + bytes(40))
    assert error.message == "the image is ZIP; the API reads PNG and JPEG only"


def test_a_jpeg_without_its_end_is_rejected_before_it_is_paid_for() -> None:
    assert refusal(JPEG[:-2]).code == "ImageTruncated"


class Converter:
    """Stands for the one that needs Pillow: keeps what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def __call__(self, image: bytes, inspected: InspectedImage, max_bytes: int) -> tuple[bytes, str]:
        self.asked.append((inspected.image_format, max_bytes))
        return JPEG, "made anew"


@pytest.mark.parametrize(
    ("image", "image_format"), [(drawn("WEBP"), "WEBP"), (JPEG[:-2], "JPEG")], ids=["foreign", "cut off"]
)
def test_what_the_api_would_refuse_is_converted_where_that_is_possible(
    image: bytes, image_format: str
) -> None:
    convert = Converter()
    builder = PermitRequestBuilder(max_base64_bytes=4000, convert=convert)
    request = request_of(builder, ImageRow("k", image))
    assert (request.image, request.facts) == (
        JPEG,
        ImageFacts(image_format, len(image), "made anew", digest(image), 8, 8),
    )
    assert convert.asked == [(image_format, 3000)]


def test_an_image_that_the_api_takes_is_sent_as_it_is() -> None:
    convert = Converter()
    builder = PermitRequestBuilder(max_base64_bytes=4000, convert=convert, shrink=convert)
    for image, image_format in ((PNG, "PNG"), (JPEG, "JPEG")):
        request = request_of(builder, ImageRow("k", image))
        assert (request.image, request.facts) == (
            image,
            ImageFacts(image_format, len(image), digest=digest(image), width=8, height=8),
        )
    assert convert.asked == []


def test_only_where_it_is_asked_for_an_oversized_image_is_shrunk(tmp_path: Path) -> None:
    file = tmp_path / "permit.png"
    file.write_bytes(PNG.ljust(3001, b"\x00"))
    convert = Converter()
    row = ImageRow("k", str(file))
    found = unfit(PermitRequestBuilder(max_base64_bytes=4000, convert=convert), row)
    assert re.search(r"has 3,001 bytes.*ImageAccess\(shrink_oversized=True\)", found.message)
    assert found.status is Status.REJECTED
    request = request_of(PermitRequestBuilder(max_base64_bytes=4000, shrink=convert), row)
    assert request.facts == ImageFacts("PNG", 3001, "made anew", digest(file.read_bytes()), 8, 8)
    assert convert.asked == [("PNG", 3000)]


def test_an_original_is_read_up_to_its_own_limit(tmp_path: Path) -> None:
    file = tmp_path / "permit.png"
    file.write_bytes(PNG.ljust(5001, b"\x00"))
    builder = PermitRequestBuilder(max_base64_bytes=4000, shrink=Converter(), max_original_bytes=5000)
    found = unfit(builder, ImageRow("k", str(file)))
    assert "more than 5,000 bytes" in found.message
    assert (found.status, found.code) == (Status.REJECTED, "ImageTooLarge")


@pytest.mark.parametrize(
    ("image", "image_format"),
    [(PNG[:-30], "PNG"), (JPEG[:-2], "JPEG"), (JPEG[:99], "JPEG"), (drawn("GIF"), "GIF"), (b"<br>", "HTML")],
)
def test_a_refusal_says_what_was_learnt_of_the_image(image: bytes, image_format: str | None) -> None:
    facts = refusal(image).facts
    assert (facts.image_format, facts.size, facts.digest) == (image_format, len(image), digest(image))


@given(
    st.none() | st.text() | st.binary() | st.text().map("file://{}".format) | st.text().map("data:{}".format)
)
def test_whatever_a_row_holds_it_is_a_request_or_a_refusal(image: str | bytes | None) -> None:
    builder = PermitRequestBuilder(max_base64_bytes=MEGABYTE)
    assert isinstance(builder.build(ImageRow("k", image)), PermitRequest | UnfitImage)


@given(st.text("secretSECRET0123456789", min_size=12))
def test_a_refusal_repeats_nothing_of_the_reference(reference: str) -> None:
    for value in (reference, f"/nowhere/{reference}", f"file://{reference}/x", f"data:{reference}"):
        assert reference not in refusal(value).message
        assert reference not in repr(ImageRow("k", value))
