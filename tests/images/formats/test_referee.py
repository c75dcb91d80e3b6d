"""The check before paying against the emulator's, which decodes: none that it accepts may be rejected.

Of those that it refuses, only damaged JPEGs may pass, which the API refuses free of charge.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from typing import Any, Final

import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.images import check_image
from airflow_provider_permitocr.engine.models import ImageRow, PermitRequest
from airflow_provider_permitocr.images.conversion.convert import ImageConverter
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
from airflow_provider_permitocr.permit.api import SITES
from airflow_provider_permitocr.tencent.decisions import look_up

pillow_heif.register_heif_opener()

INTL: Final = SITES["intl"].max_base64_bytes
RAW_LIMIT: Final = INTL // 4 * 3
#: Completes JPEGs that lack nothing but their end; foreign formats stay rejected, as the referee has it.
CONVERTER: Final = ImageConverter()
EXIF: Final = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08" + bytes(40)
#: What Pillow writes and the API does not read.
FOREIGN: Final = (
    *("GIF", "BMP", "DIB", "TIFF", "WEBP", "PDF", "HEIF", "AVIF", "JPEG2000", "ICO", "TGA", "PPM", "PCX"),
    *("SGI", "EPS", "MSP", "XBM", "DDS", "ICNS", "BLP", "SPIDER"),
)
MODES_OF: Final = {"MSP": "1", "XBM": "1", "BLP": "P", "SPIDER": "F"}


def refusal(image: bytes) -> str | None:
    try:
        check_image(image, "intl")
    except ApiError as error:
        return error.code
    return None


def accepted(image: bytes) -> bool:
    return refusal(image) is None


def passed(image: bytes) -> bool:
    request = PermitRequestBuilder(max_base64_bytes=INTL, convert=CONVERTER.convert).build(
        ImageRow("k", image)
    )
    return isinstance(request, PermitRequest) and request.facts.prepared in (None, "end marker added")


def drawn(image_format: str, mode: str = "RGB", size: tuple[int, int] = (97, 61), **options: Any) -> bytes:
    across, down = size[0] // 7, size[1] // 7
    noise = random.Random(f"{across} {down}").randbytes(across * down)
    picture = Image.frombytes("L", (across, down), noise).resize(size)
    color = Image.merge("RGB", (picture, picture.rotate(180), picture))
    file = BytesIO()
    (picture if mode in ("I;16", "F") else color).convert(mode).save(file, image_format, **options)
    return file.getvalue()


def jpegs() -> Iterator[bytes]:
    for mode in ("1", "L", "RGB", "CMYK"):
        yield drawn("JPEG", mode)
        yield drawn("JPEG", mode, progressive=True, restart_marker_rows=1)
        yield drawn("JPEG", mode, quality=100, optimize=True)
        yield drawn("JPEG", mode, quality=20, restart_marker_blocks=1, comment=b"a comment")
    for subsampling in (0, 1, 2):
        yield drawn("JPEG", subsampling=subsampling)
    yield drawn("JPEG", exif=EXIF + drawn("JPEG", size=(28, 14)))
    yield drawn("JPEG", icc_profile=bytes(150_000), keep_rgb=True)
    yield drawn("JPEG", size=(7, 7))
    yield drawn("MPO", save_all=True, append_images=[Image.new("RGB", (28, 14))])


def pngs() -> Iterator[bytes]:
    for mode in ("1", "L", "LA", "I;16", "P", "RGB", "RGBA"):
        for options in ({}, {"optimize": True}, {"compress_level": 0}):
            yield drawn("PNG", mode, **options)
    yield drawn("PNG", "P", bits=2, transparency=0)
    yield drawn("PNG", icc_profile=b"profile", exif=EXIF, dpi=(300, 300))
    yield drawn("PNG", save_all=True, append_images=[Image.new("RGB", (97, 61))])
    yield drawn("PNG", "L", size=(900, 700), compress_level=0)


@cache
def corpus() -> tuple[bytes, ...]:
    return (*jpegs(), *pngs())


def changed(image: bytes, place: int, value: int) -> bytes:
    return image[:place] + bytes([value]) + image[place + 1 :]


def test_what_the_referee_accepts_passes_also_with_bytes_behind_it() -> None:
    for image in corpus():
        for trailing in (b"", b"\x00", b"\xff\xd9", b"\xff\xd8\xff", b"IEND" + bytes(500)):
            assert accepted(image + trailing)
            assert passed(image + trailing)


@pytest.mark.parametrize("image_format", FOREIGN)
def test_a_format_that_the_referee_refuses_is_rejected(image_format: str) -> None:
    image = drawn(image_format, MODES_OF.get(image_format, "RGB"), size=(64, 64))
    assert not accepted(image)
    assert not passed(image)


@pytest.mark.parametrize("image", [drawn("JPEG"), drawn("PNG")], ids=["JPEG", "PNG"])
def test_around_the_limit_both_agree_to_the_byte(image: bytes) -> None:
    for size in range(RAW_LIMIT - 4, RAW_LIMIT + 5):
        padded = image.ljust(size, b"\x00")
        assert passed(padded) == accepted(padded) == (size <= RAW_LIMIT)


@pytest.mark.slow
def test_cut_at_any_place_both_agree() -> None:
    drawing = random.Random("cuts")
    for image in corpus():
        places = {len(image) - back for back in range(1, 20)} | set(range(40))
        places |= {drawing.randrange(1, len(image)) for _ in range(40)}
        for place in places:
            assert passed(image[:place]) == accepted(image[:place])


@pytest.mark.slow
@given(st.data())
@settings(max_examples=600, deadline=None)
def test_with_a_byte_changed_none_that_is_accepted_is_rejected(data: st.DataObject) -> None:
    image = data.draw(st.sampled_from(corpus()))
    header = data.draw(st.booleans())
    place = data.draw(st.integers(0, min(len(image), 700 if header else len(image)) - 1))
    broken = changed(image, place, data.draw(st.integers(0, 255)))
    if accepted(broken):
        assert passed(broken)


@pytest.mark.slow
@given(st.binary(max_size=300), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]))
@settings(max_examples=300, deadline=None)
def test_of_noise_nothing_is_accepted_or_passes(noise: bytes, start: bytes) -> None:
    assert not accepted(start + noise) or passed(start + noise)
    assert not passed(start + noise)


@pytest.mark.slow
def test_only_jpegs_with_a_damaged_byte_get_through_and_the_api_refuses_them_free_of_charge() -> None:
    drawing = random.Random("damage")
    refused, through = 0, 0
    for image in corpus():
        for _ in range(40):
            broken = changed(image, drawing.randrange(len(image)), drawing.randrange(256))
            if code := refusal(broken):
                refused += 1
                if passed(broken):
                    through += 1
                    assert broken.startswith(b"\xff\xd8\xff")
                    assert look_up(code).billed is False
    assert refused > 500
    assert through / refused < 0.1
