from __future__ import annotations

import base64
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.core.api import SITES, CardSide, ImageFormat, Site
from airflow_provider_permitocr.core.errors import ImageError, ImageRejectedError, ImageUnavailableError
from airflow_provider_permitocr.core.image_format import inspect_image
from airflow_provider_permitocr.core.image_loader import ImageLoader
from airflow_provider_permitocr.core.models import ImageRow, PermitRequest

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
JPEG = b"\xff\xd8\xff\xe0" + b"pixels"
MEGABYTE = 1024 * 1024

sites = pytest.mark.parametrize("site", SITES.values(), ids=SITES)


def request_for(image: Any, max_base64_bytes: int = MEGABYTE, **options: Any) -> PermitRequest:
    return ImageLoader(max_base64_bytes=max_base64_bytes).request(ImageRow("k", image, **options))


def refusal(image: Any, max_base64_bytes: int = MEGABYTE) -> ImageError:
    with pytest.raises(ImageError) as caught:
        request_for(image, max_base64_bytes)
    return caught.value


def largest(site: Site) -> int:
    """The most bytes whose base64 still fits; counted down from too many, not computed as the code does."""
    size = site.max_base64_bytes
    while (size + 2) // 3 * 4 > site.max_base64_bytes:
        size -= 1
    return size


@pytest.mark.parametrize(("image", "image_format"), [(PNG, ImageFormat.PNG), (JPEG, ImageFormat.JPEG)])
def test_the_format_is_told_by_content(image: bytes, image_format: ImageFormat) -> None:
    inspected = inspect_image(image)
    assert (inspected.image_format, inspected.is_accepted) == (image_format.value, True)


@pytest.mark.parametrize(
    ("image", "named"),
    [
        (b"GIF89a......", "GIF"),
        (b"BM..........", "BMP"),
        (b"II*\x00........", "TIFF"),
        (b"MM\x00*........", "TIFF"),
        (b"%PDF-1.7....", "PDF"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "WEBP"),
        (b"\x00\x00\x00\x18ftypheic....", "HEIC"),
        (b"<html>404</html>", "no known image format"),
        (PNG[:7], "no known image format"),
    ],
)
def test_other_formats_are_rejected_by_name(image: bytes, named: str, tmp_path: Path) -> None:
    disguised = tmp_path / "permit.jpg"
    disguised.write_bytes(image)
    for value in (image, str(disguised)):
        error = refusal(value)
        assert isinstance(error, ImageRejectedError)
        assert error.code == "ImageFormatUnsupported"
        assert named in error.message


@sites
def test_an_image_may_be_exactly_as_large_as_the_site_takes(site: Site, tmp_path: Path) -> None:
    image = PNG.ljust(largest(site), b"\x00")
    assert len(base64.b64encode(image)) <= site.max_base64_bytes
    file = tmp_path / "permit.png"
    file.write_bytes(image)
    for value in (image, str(file)):
        assert request_for(value, site.max_base64_bytes).image == image


@sites
def test_one_byte_more_is_too_large(site: Site, tmp_path: Path) -> None:
    image = PNG.ljust(largest(site) + 1, b"\x00")
    assert len(base64.b64encode(image)) > site.max_base64_bytes
    file = tmp_path / "permit.png"
    file.write_bytes(image)
    for value in (image, str(file)):
        error = refusal(value, site.max_base64_bytes)
        assert isinstance(error, ImageRejectedError)
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
    assert isinstance(error, ImageRejectedError)
    assert error.code == "ImageMissing"


def test_an_empty_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "permit.png").touch()
    assert refusal(str(tmp_path / "permit.png")).code == "ImageEmpty"


@pytest.mark.parametrize("url", ["http://x/a.png", "https://x/a.gif?sign=1", "HTTPS://x/a"])
def test_a_url_is_left_to_the_api_unread(url: str) -> None:
    request = request_for(url)
    assert (request.image_url, request.image) == (url, None)


def test_side_and_portrait_are_passed_on() -> None:
    row = ImageRow("k", PNG, CardSide.BACK)
    request = ImageLoader(max_base64_bytes=MEGABYTE, ret_profile=True).request(row)
    assert (request.card_side, request.ret_profile) == (CardSide.BACK, True)


@pytest.mark.parametrize("name", ["permit.png", "a permit 100%.png", "通行证.png"])
def test_a_file_is_found_by_path_and_by_url(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(PNG)
    url = file.as_uri()
    for reference in (str(file), url, url.replace("file://", "FILE://localhost")):
        assert request_for(reference).image == PNG


def test_a_missing_file_is_tried_again_by_the_next_run(tmp_path: Path) -> None:
    error = refusal(str(tmp_path / "permit.png"))
    assert isinstance(error, ImageUnavailableError)
    assert error.code == "ImageNotFound"


@pytest.mark.parametrize(
    "name", ["", "x" * 300, "a\x00b", "a\ud800b"], ids=["directory", "long", "NUL", "lone"]
)
def test_a_path_that_cannot_be_read_is_tried_again_by_the_next_run(name: str, tmp_path: Path) -> None:
    error = refusal(f"{tmp_path}/{name}")
    assert isinstance(error, ImageUnavailableError)
    assert error.code == "ImageUnreadable"


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_not_even_opened(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "permit.png"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    error = refusal(str(path))
    assert (error.code, error.message) == ("ImageUnreadable", "there is no regular file at the path")


@pytest.mark.parametrize(
    "reference",
    [
        *(
            "permit.png",
            "./permit.png",
            "../permit.png",
            "~/permit.png",
            "C:\\permit.png",
            "s3://b/permit.png",
        ),
        *(
            "file:permit.png",
            "file://host/permit.png",
            "file://[host/permit.png",
            " /permit.png",
            "iVBORw0KGgo=",
        ),
        *(
            "data:",
            "data:image/png,abc",
            "data:image/png;base64",
            "data:image/png;base64,a",
            "data:;base64,样",
        ),
    ],
)
def test_a_reference_of_another_form_is_rejected(reference: str) -> None:
    error = refusal(reference)
    assert isinstance(error, ImageRejectedError)
    assert error.code == "ImageReferenceUnknown"


@pytest.mark.parametrize("value", [7, 1.5, True, [PNG], Path("/permit.png")])
def test_a_value_that_is_no_reference_at_all_is_rejected(value: Any) -> None:
    assert refusal(value).code == "ImageReferenceUnknown"


def test_a_data_uri_holds_the_image() -> None:
    encoded = base64.b64encode(JPEG).decode()
    assert request_for(f"data:image/jpeg;base64,{encoded}").image == JPEG


def test_a_data_uri_that_holds_nothing_is_rejected() -> None:
    assert refusal("data:image/jpeg;base64,").code == "ImageEmpty"


@given(
    st.none() | st.text() | st.binary() | st.text().map("file://{}".format) | st.text().map("data:{}".format)
)
def test_whatever_a_row_holds_it_is_a_request_or_a_refusal(image: str | bytes | None) -> None:
    with suppress(ImageError):
        request_for(image)


@given(st.text("secretSECRET0123456789", min_size=12))
def test_a_refusal_repeats_nothing_of_the_reference(reference: str) -> None:
    for value in (reference, f"/nowhere/{reference}", f"file://{reference}/x", f"data:{reference}"):
        assert reference not in str(refusal(value))
        assert reference not in repr(ImageRow("k", value))
