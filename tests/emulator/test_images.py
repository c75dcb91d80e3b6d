from __future__ import annotations

import asyncio
import base64
import binascii
import io
from typing import TYPE_CHECKING

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.images import base64_bytes, check_image, decode_base64, download
from airflow_provider_permitocr.permit.api import ImageFormat

if TYPE_CHECKING:
    from tests.emulator.conftest import ImageServer

RAW_LIMIT = {"intl": 7 * 1024 * 1024 // 4 * 3, "mainland": 10 * 1024 * 1024 // 4 * 3}


def downloaded(url: str, site: str = "intl", seconds: float = 3.0) -> bytes:
    async def run() -> bytes:
        async with aiohttp.ClientSession() as session:
            return await download(session, url, site, seconds)

    return asyncio.run(run())


def refusal(image: bytes, site: str = "intl") -> str:
    with pytest.raises(ApiError) as caught:
        check_image(image, site)
    return caught.value.code


def test_png_and_jpeg_are_accepted_by_their_content(png: bytes, jpeg: bytes) -> None:
    assert check_image(png, "intl") is ImageFormat.PNG
    assert check_image(jpeg, "intl") is ImageFormat.JPEG


def test_gif_is_refused(gif: bytes) -> None:
    assert refusal(gif) == "FailedOperation.ImageDecodeFailed"


def test_jpeg_with_further_pictures_behind_it_is_accepted() -> None:
    file = io.BytesIO()
    Image.new("RGB", (64, 48)).save(file, "MPO", save_all=True, append_images=[Image.new("RGB", (16, 12))])
    assert check_image(file.getvalue(), "intl") is ImageFormat.JPEG


def test_png_without_pixels_is_refused(png: bytes) -> None:
    assert refusal(png[:33] + png[-12:]) == "FailedOperation.ImageDecodeFailed"


def test_empty_image_is_refused() -> None:
    assert refusal(b"") == "FailedOperation.EmptyImageError"


def test_half_an_image_is_refused(png: bytes, jpeg: bytes) -> None:
    assert refusal(png[: len(png) // 2]) == "FailedOperation.ImageDecodeFailed"
    assert refusal(jpeg[: len(jpeg) // 2]) == "FailedOperation.ImageDecodeFailed"


def test_image_with_a_flipped_bit_in_its_pixels_is_refused(png: bytes) -> None:
    middle = len(png) // 2
    assert refusal(png[:middle] + bytes([png[middle] ^ 1]) + png[middle + 1 :]) == (
        "FailedOperation.ImageDecodeFailed"
    )


@given(st.binary(min_size=1, max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]))
def test_arbitrary_bytes_are_refused_cleanly(noise: bytes, start: bytes) -> None:
    assert refusal(start + noise) == "FailedOperation.ImageDecodeFailed"


@pytest.mark.parametrize("site", ["intl", "mainland"])
def test_size_counts_after_base64(site: str, png: bytes) -> None:
    largest = png.ljust(RAW_LIMIT[site], b"\0")
    assert check_image(largest, site) is ImageFormat.PNG
    assert refusal(largest + b"\0", site) == "LimitExceeded.TooLargeFileError"


@given(st.binary(max_size=100))
def test_base64_size_is_what_encoding_gives(raw: bytes) -> None:
    assert base64_bytes(len(raw)) == len(base64.b64encode(raw))
    assert decode_base64(base64.b64encode(raw).decode()) == raw


@pytest.mark.parametrize("text", ["aGVs\r\nbG8=\n", "aGV sbG8=", "aGVsbG8=="])
def test_line_breaks_and_the_like_within_base64_are_skipped(text: str) -> None:
    assert decode_base64(text) == b"hello"


@given(st.text(st.sampled_from("aZ9+/=-_ \n!"), max_size=12))
def test_base64_is_read_as_leniently_as_pythons_own_decoder(text: str) -> None:
    try:
        expected = binascii.a2b_base64(text)
    except ValueError:
        with pytest.raises(ApiError):
            decode_base64(text)
    else:
        assert decode_base64(text) == expected


@pytest.mark.parametrize("text", ["a", "图片", "aGFsbG8"])
def test_text_that_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match=r"FailedOperation\.ImageDecodeFailed"):
        decode_base64(text)


def test_image_is_downloaded(image_server: ImageServer, png: bytes) -> None:
    image_server.files["/image"] = png
    assert downloaded(image_server.url("/image")) == png
    assert downloaded(image_server.url("/moved")) == png


@pytest.mark.parametrize("path", ["/missing", "/slow"])
def test_download_that_fails_or_takes_too_long_is_refused(image_server: ImageServer, path: str) -> None:
    with pytest.raises(ApiError, match=r"FailedOperation\.DownLoadError"):
        downloaded(image_server.url(path), seconds=0.2)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/image", "ftp://127.0.0.1/image", "file:///etc/hostname", "image.png", "http://"],
)
def test_url_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(ApiError, match=r"FailedOperation\.DownLoadError"):
        downloaded(url)


@pytest.mark.parametrize("name", ["通行证", "a b", "100%", "a|b", "a\\b", 'a"b', "a\n", "a%zz"])
def test_url_that_is_not_encoded_is_refused_as_the_service_does(image_server: ImageServer, name: str) -> None:
    with pytest.raises(ApiError, match=r"FailedOperation\.DownLoadError"):
        downloaded(image_server.url(f"/{name}"))


def test_encoded_url_is_asked_for_as_it_is(image_server: ImageServer, png: bytes) -> None:
    path = "/%e9%80%9a%2Fa+b%20c?x=%2f;1"
    image_server.files[path] = png
    assert downloaded(image_server.url(path)) == png


def test_download_stops_at_the_size_limit(image_server: ImageServer) -> None:
    image_server.files["/image"] = bytes(RAW_LIMIT["intl"] + 1)
    with pytest.raises(ApiError, match=r"LimitExceeded\.TooLargeFileError"):
        downloaded(image_server.url("/image"))
