from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from airflow_provider_permitocr.emulator.engines.picture import MAX_SIDE, decode, looks_photocopied
from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.specimens import Effect, PermitKind, draw_specimen
from airflow_provider_permitocr.permit.api import ImageFormat


def saved(picture: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, image_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("image_format", ImageFormat)
def test_large_pictures_shrink_to_what_reading_needs(image_format: ImageFormat) -> None:
    picture = decode(saved(Image.new("RGB", (3000, 1500), "red"), image_format))
    assert picture.size == (MAX_SIDE, MAX_SIDE // 2)
    assert picture.mode == "RGB"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_color_mode_decodes(mode: str) -> None:
    picture = decode(saved(Image.new(mode, (60, 40)), "PNG"))
    assert (picture.size, picture.mode) == ((60, 40), "RGB")


def test_transparent_pictures_lie_on_white() -> None:
    assert decode(saved(Image.new("RGBA", (60, 40), (0, 0, 0, 0)), "PNG")).getpixel((5, 5)) == (255, 255, 255)


def test_pictures_are_turned_upright_as_their_exif_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(saved(Image.new("RGB", (60, 40)), "JPEG", exif=exif)).size == (40, 60)


@pytest.mark.parametrize("image_format", ImageFormat)
def test_broken_files_cannot_be_decoded(image_format: ImageFormat) -> None:
    whole = draw_specimen(PermitKind.TAIWAN, width=480, image_format=image_format).image
    for broken in (whole[: len(whole) // 2], whole[:40], whole[:8] + b"\0" * 200, b""):
        with pytest.raises(ApiError) as refused:
            decode(broken)
        assert refused.value.code == "FailedOperation.ImageDecodeFailed"


def test_a_picture_of_absurd_size_cannot_be_decoded() -> None:
    image = saved(Image.new("RGB", (60, 40)), "PNG")
    header = b"IHDR" + struct.pack(">II", 20_000, 20_000) + image[24:29]
    claimed = image[:12] + header + struct.pack(">I", zlib.crc32(header)) + image[33:]
    with pytest.raises(ApiError, match="ImageDecodeFailed"):
        decode(claimed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", PermitKind)
@pytest.mark.parametrize(
    "others", [frozenset[Effect](), frozenset({Effect.NOISY, Effect.BLURRED, Effect.SKEWED})]
)
def test_photocopies_are_told_from_color(kind: PermitKind, others: frozenset[Effect]) -> None:
    color = draw_specimen(kind, width=640, effects=others)
    copy = draw_specimen(kind, width=640, effects=others | {Effect.PHOTOCOPIED})
    assert not looks_photocopied(decode(color.image))
    assert looks_photocopied(decode(copy.image))
