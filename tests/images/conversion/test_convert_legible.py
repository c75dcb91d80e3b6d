"""What comes out of the conversion is still read right, from its pixels: labels are dropped on the way."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pillow_heif
import pytest
from PIL import Image

from airflow_provider_permitocr.emulator.engines.rapidocr import RapidOcrEngine
from airflow_provider_permitocr.emulator.images import check_image
from airflow_provider_permitocr.emulator.specimens import PermitKind, Specimen, draw_specimen, read_label
from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.images.conversion.convert import ImageConverter
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
from airflow_provider_permitocr.permit.api import SITES
from tests.support.row_calls import request_of

pillow_heif.register_heif_opener()
pytestmark = pytest.mark.slow

INTL = SITES["intl"].max_base64_bytes


@pytest.fixture(scope="module")
def specimen() -> Specimen:
    return draw_specimen(PermitKind.HONG_KONG_MACAO, seed=7, width=1600)


@pytest.fixture(scope="module")
def picture(specimen: Specimen) -> Image.Image:
    picture = Image.open(BytesIO(specimen.image)).convert("RGB")
    picture.info = {}
    return picture


@pytest.fixture(scope="module")
def engine() -> RapidOcrEngine:
    return RapidOcrEngine()


def saved(picture: Image.Image, image_format: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, image_format, **options)
    return file.getvalue()


def check_read_right(image: bytes, specimen: Specimen, engine: RapidOcrEngine, prepared: str) -> None:
    converter = ImageConverter()
    builder = PermitRequestBuilder(max_base64_bytes=INTL, convert=converter.convert, shrink=converter.shrink)
    request = request_of(builder, ImageRow("k", image, specimen.side))
    assert request.image
    check_image(request.image, "intl")
    assert (request.facts.prepared or "").startswith(prepared)
    assert read_label(request.image) is None
    assert engine.read(request.image, specimen.side, with_portrait=False) == specimen.fields


@pytest.mark.parametrize(
    ("image_format", "named"),
    [("HEIF", "HEIC"), ("AVIF", "AVIF"), ("WEBP", "WEBP"), ("TIFF", "TIFF"), ("PDF", "PDF"), ("GIF", "GIF")],
)
def test_a_converted_permit_is_read_as_drawn(
    image_format: str, named: str, picture: Image.Image, specimen: Specimen, engine: RapidOcrEngine
) -> None:
    check_read_right(saved(picture, image_format), specimen, engine, f"converted from {named}")


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_an_oversized_permit_that_lies_on_its_side_is_read_as_drawn(
    image_format: str, picture: Image.Image, specimen: Specimen, engine: RapidOcrEngine
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    large = picture.resize((6000, 4000))
    noise = Image.effect_noise(large.size, 90).convert("RGB")
    lying = Image.blend(large, noise, 0.1).transpose(Image.Transpose.ROTATE_90)
    options = {"quality": 98, "subsampling": 0} if image_format == "JPEG" else {"compress_level": 1}
    image = saved(lying, image_format, exif=exif, **options)
    check_read_right(image, specimen, engine, "shrunk from 4000x6000")
