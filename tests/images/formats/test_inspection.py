"""Each form of a file that is told from its bytes; that all agrees with a decoder: test_image_referee.py."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO
from typing import Any

import pillow_heif
import pytest
from PIL import Image

from airflow_provider_permitocr.errors import ImageRejectedError
from airflow_provider_permitocr.images.formats.inspection import InspectedImage, inspect_image

pillow_heif.register_heif_opener()


def drawn(image_format: str, size: tuple[int, int] = (61, 47), mode: str = "RGB", **options: Any) -> bytes:
    file = BytesIO()
    noise = random.Random("noise").randbytes(size[0] * size[1])
    Image.frombytes("L", size, noise).convert(mode).save(file, image_format, **options)
    return file.getvalue()


def refusal(image: bytes) -> ImageRejectedError:
    with pytest.raises(ImageRejectedError) as caught:
        inspect_image(image)
    return caught.value


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def with_jpeg_size(image: bytes, width: int, height: int) -> bytes:
    frame = image.index(b"\xff\xc0")
    return image[: frame + 5] + struct.pack(">HH", height, width) + image[frame + 9 :]


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_format_and_size_are_told_by_content(image_format: str) -> None:
    inspected = inspect_image(drawn(image_format))
    assert inspected == InspectedImage(image_format, 61, 47)
    assert inspected.is_accepted


@pytest.mark.parametrize(
    ("pillow_name", "name", "is_convertible"),
    [
        ("GIF", "GIF", True),
        ("BMP", "BMP", True),
        ("TIFF", "TIFF", True),
        ("WEBP", "WEBP", True),
        ("PDF", "PDF", True),
        ("HEIF", "HEIC", True),
        ("AVIF", "AVIF", True),
        ("JPEG2000", "JPEG 2000", False),
        ("ICO", "ICO", False),
    ],
)
def test_other_formats_are_named(pillow_name: str, name: str, is_convertible: bool) -> None:
    inspected = inspect_image(drawn(pillow_name))
    assert (inspected.image_format, inspected.is_convertible) == (name, is_convertible)
    assert not inspected.is_accepted


@pytest.mark.parametrize(
    ("image", "name"),
    [
        (b"MM\x00*....", "TIFF"),
        (b"II+\x00....", "TIFF"),
        (b"\n<!DOCTYPE html><html>404", "HTML"),
        (b"<HTML>", "HTML"),
        (b'<?xml version="1.0"?><Error/>', "XML"),
        (b"<svg xmlns=", "SVG"),
        (b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns=', "SVG"),
        (b"<title>404</title>", "HTML"),
        (b'{"error": "expired"}', "JSON"),
        (b"[]", "JSON"),
        (b"404 not found", "plain text"),
        ("错误".encode() * 2000, "plain text"),
        (bytes(16), "NUL bytes"),
        (b"PK\x03\x04....", "ZIP"),
        (b"8BPS....", "PSD"),
        (b"\xff\x0a....", "JPEG XL"),
        (b"scanned by us\n%PDF-1.4", "PDF"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1miaf", "HEIF"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", "HEIC"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00avifmiaf", "AVIF"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp42", "MP4"),
    ],
)
def test_formats_that_no_library_here_writes_are_named(image: bytes, name: str) -> None:
    assert inspect_image(image).image_format == name


@pytest.mark.parametrize("image", [b"\x89PNG\r\n\x1b" + bytes(9), b"\xff\xd8\x00" + bytes(9), b"\x01" * 5000])
def test_what_is_no_image_is_rejected(image: bytes) -> None:
    error = refusal(image)
    assert (error.code, error.message) == (
        "ImageFormatUnsupported",
        "the content is not in a known image format",
    )


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_a_file_that_breaks_off_is_rejected(image_format: str) -> None:
    image = drawn(image_format)
    error = refusal(image[:70])
    assert error.code == "ImageTruncated"
    assert "70 bytes" in error.message


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}])
def test_a_jpeg_without_its_end_is_told(options: dict[str, Any]) -> None:
    image = drawn("JPEG", **options)
    assert inspect_image(image).is_ended
    assert inspect_image(image + b"trailing").is_ended
    assert not inspect_image(image[:-2]).is_ended


def test_the_end_of_a_preview_is_not_the_end_of_the_image() -> None:
    preview = drawn("JPEG", size=(16, 16))
    image = drawn("JPEG", exif=b"Exif\x00\x00" + preview)
    assert preview in image
    assert inspect_image(image) == InspectedImage("JPEG", 61, 47)
    assert not inspect_image(image[:-2]).is_ended


def test_a_jpeg_with_further_pictures_is_a_jpeg() -> None:
    image = drawn("MPO", save_all=True, append_images=[Image.new("RGB", (16, 16))])
    assert inspect_image(image) == InspectedImage("JPEG", 61, 47)


def test_a_png_with_a_wrong_checksum_is_rejected() -> None:
    image = bytearray(drawn("PNG"))
    image[len(image) // 2] ^= 1
    error = refusal(bytes(image))
    assert error.code == "ImageBroken"
    assert "checksum" in error.message


PIXELS = chunk(b"IDAT", zlib.compress(bytes(100)))


@pytest.mark.parametrize(
    "image",
    [
        png(0, 4, PIXELS),
        png(4, 0, PIXELS),
        png(4, 4),
        png(4, 4, b"\x00\x00\x00\x00\x00\x00\x00\x00"),
        b"\x89PNG\r\n\x1a\n" + PIXELS + chunk(b"IEND", b""),
        with_jpeg_size(drawn("JPEG"), 0, 47),
        with_jpeg_size(drawn("JPEG"), 61, 0),
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xd8" + drawn("JPEG")[2:],
    ],
    ids=[
        *("PNG without width", "PNG without height", "PNG without pixels", "PNG with no chunk"),
        *("PNG without header", "JPEG without width", "JPEG without height"),
        *("JPEG without header", "JPEG that begins twice"),
    ],
)
def test_an_image_without_pixels_is_rejected(image: bytes) -> None:
    assert refusal(image).code == "ImageBroken"


@pytest.mark.parametrize(
    "image", [png(20_000, 10_000, PIXELS), with_jpeg_size(drawn("JPEG"), 20_000, 10_000)]
)
def test_more_pixels_than_decoders_take_are_rejected(image: bytes) -> None:
    error = refusal(image)
    assert error.code == "ImageSizeTooLarge"
    assert error.message == "the image has 20,000 x 10,000 pixels; at most 178,956,970 in total can be read"
