from __future__ import annotations

import random
import sys
from collections.abc import Callable
from io import BytesIO
from typing import Any

import psutil
import pytest
from PIL import Image

from airflow_provider_permitocr import MainlandPermitOcrHook
from airflow_provider_permitocr.emulator.images import check_image
from airflow_provider_permitocr.engine.models import ImageRow
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.options.lists.image_access import ImageAccess
from airflow_provider_permitocr.permit.status import Status
from tests.support.row_calls import request_of, unfit

SetConnection = Callable[..., None]


@pytest.fixture(autouse=True)
def _connected(set_connection: SetConnection) -> None:
    set_connection("tencentcloud_default", conn_type="tencentcloud", login="AKIDexample", password="key")


def saved(picture: Image.Image, image_format: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, image_format, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def oversized() -> bytes:
    noise = random.Random("noise").randbytes(3 * 2000 * 1400)
    return saved(Image.frombytes("RGB", (2000, 1400), noise), "PNG", compress_level=0)


def test_with_the_extra_installed_foreign_formats_are_converted_unasked() -> None:
    builder = MainlandPermitOcrHook().request_builder()
    request = request_of(builder, ImageRow("k", saved(Image.new("L", (64, 48)), "WEBP")))
    assert request.image
    check_image(request.image, "intl")
    assert (request.facts.image_format, request.facts.prepared) == ("WEBP", "converted from WEBP")


def test_oversized_images_are_rejected_unless_shrinking_is_asked_for(oversized: bytes) -> None:
    found = unfit(MainlandPermitOcrHook().request_builder(), ImageRow("k", oversized))
    assert "shrink_oversized=True" in found.message
    assert (found.status, found.code) == (Status.REJECTED, "ImageTooLarge")


def test_oversized_images_are_shrunk_where_that_is_asked_for(oversized: bytes) -> None:
    hook = MainlandPermitOcrHook(images=ImageAccess(shrink_oversized=True))
    request = request_of(hook.request_builder(), ImageRow("k", oversized))
    assert request.image
    check_image(request.image, "intl")
    assert (request.facts.prepared or "").startswith("shrunk from 2000x1400, 8,40")


def test_shrinking_without_the_extra_stops_before_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    hook = MainlandPermitOcrHook(images=ImageAccess(shrink_oversized=True))
    with pytest.raises(ConfigurationError, match="pip install pillow pi-heif pypdfium2"):
        hook.request_builder()
    assert MainlandPermitOcrHook().request_builder()


def test_closing_the_hook_ends_the_processes_that_convert() -> None:
    before = psutil.Process().children()
    hook = MainlandPermitOcrHook()
    hook.request_builder().build(ImageRow("k", saved(Image.new("L", (64, 48)), "WEBP")))
    assert len(psutil.Process().children()) == len(before) + 1
    hook.close()
    assert len(psutil.Process().children()) == len(before)
