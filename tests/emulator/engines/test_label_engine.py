from __future__ import annotations

import base64
import dataclasses

import pytest

from airflow_provider_permitocr.emulator.engines import load_engine
from airflow_provider_permitocr.emulator.engines.label import LabelEngine
from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.specimens import (
    DRAWABLE,
    PermitKind,
    draw_scenery,
    draw_specimen,
    read_label,
    write_label,
)
from airflow_provider_permitocr.permit.api import CardSide, ImageFormat

ENGINE = LabelEngine()


@pytest.mark.parametrize(("kind", "side"), DRAWABLE)
def test_every_specimen_is_answered_with_its_truth(kind: PermitKind, side: CardSide) -> None:
    specimen = draw_specimen(kind, side, width=480)
    assert ENGINE.read(specimen.image, side, with_portrait=False) == specimen.fields


@pytest.mark.parametrize("image_format", ImageFormat)
def test_pixels_are_not_decoded(image_format: ImageFormat) -> None:
    specimen = draw_specimen(PermitKind.TAIWAN, width=480, image_format=image_format)
    without_pixels = specimen.image[: len(specimen.image) // 2]
    assert ENGINE.read(without_pixels, CardSide.FRONT, with_portrait=False) == specimen.fields


def test_a_picture_without_label_is_no_card() -> None:
    with pytest.raises(ApiError) as refused:
        ENGINE.read(draw_scenery(width=480), CardSide.FRONT, with_portrait=False)
    assert refused.value.code == "FailedOperation.ImageNoSpecifiedCard"


@pytest.mark.parametrize(
    ("kind", "shown", "asked"),
    [
        (PermitKind.HONG_KONG_MACAO, CardSide.FRONT, CardSide.BACK),
        (PermitKind.HONG_KONG_MACAO, CardSide.BACK, CardSide.FRONT),
        (PermitKind.TAIWAN, CardSide.FRONT, CardSide.BACK),
    ],
)
def test_the_wrong_side_is_refused(kind: PermitKind, shown: CardSide, asked: CardSide) -> None:
    with pytest.raises(ApiError) as refused:
        ENGINE.read(draw_specimen(kind, shown, width=480).image, asked, with_portrait=False)
    assert refused.value.code == "FailedOperation.ImageNoSpecifiedCard"


def test_a_label_that_claims_the_back_of_a_taiwan_permit_is_refused() -> None:
    specimen = draw_specimen(PermitKind.TAIWAN, width=480)
    label = read_label(specimen.image)
    assert label is not None
    claimed = write_label(specimen.image, dataclasses.replace(label, side=CardSide.BACK))
    with pytest.raises(ApiError):
        ENGINE.read(claimed, CardSide.BACK, with_portrait=False)


def test_the_portrait_is_a_jpeg_and_comes_only_when_asked_for() -> None:
    image = draw_specimen(PermitKind.TAIWAN, width=480).image
    profile = ENGINE.read(image, CardSide.FRONT, with_portrait=True)["Profile"]
    assert base64.b64decode(profile, validate=True).startswith(b"\xff\xd8")
    assert ENGINE.read(image, CardSide.FRONT, with_portrait=False)["Profile"] == ""


def test_engines_load_by_name_and_an_unknown_name_lists_them() -> None:
    assert isinstance(load_engine("label"), LabelEngine)
    with pytest.raises(ValueError, match="choose one of rapidocr, label"):
        load_engine("tesseract")
