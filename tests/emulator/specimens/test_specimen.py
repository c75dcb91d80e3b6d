from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image, ImageChops

from airflow_provider_permitocr.emulator.specimens import (
    DRAWABLE,
    Effect,
    PermitKind,
    Specimen,
    draw_scenery,
    draw_specimen,
    read_label,
)
from airflow_provider_permitocr.permit.api import BACK_FIELD, WARNINGS_FIELD, CardSide, ImageFormat


def opened(image: bytes) -> Image.Image:
    picture = Image.open(BytesIO(image))
    picture.load()
    return picture


def small(
    kind: PermitKind = PermitKind.TAIWAN,
    side: CardSide = CardSide.FRONT,
    effects: frozenset[Effect] = frozenset(),
) -> Specimen:
    return draw_specimen(kind, side, width=480, effects=effects)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "side"), DRAWABLE)
def test_every_kind_and_side_is_drawn_and_labelled_with_its_truth(kind: PermitKind, side: CardSide) -> None:
    specimen = small(kind, side)
    assert opened(specimen.image).width == 480
    label = read_label(specimen.image)
    assert label is not None
    assert (label.kind, label.side, label.fields) == (kind, side, specimen.fields)


def test_every_kind_of_the_api_is_drawn_and_both_sides_where_it_reads_them() -> None:
    assert {kind for kind, side in DRAWABLE if side is CardSide.FRONT} == set(PermitKind)
    backs = {kind for kind, side in DRAWABLE if side is CardSide.BACK}
    assert backs == {PermitKind.HONG_KONG_MACAO, PermitKind.NON_CHINESE}


@pytest.mark.parametrize("kind", [PermitKind.TAIWAN, PermitKind.EXIT_ENTRY])
def test_a_back_that_the_api_does_not_read_is_refused_with_advice(kind: PermitKind) -> None:
    with pytest.raises(ValueError, match="request FRONT"):
        draw_specimen(kind, CardSide.BACK)


@pytest.mark.slow
@pytest.mark.parametrize("image_format", ImageFormat)
def test_the_same_arguments_give_the_same_bytes(image_format: ImageFormat) -> None:
    def draw(seed: int) -> bytes:
        kind = PermitKind.EXIT_ENTRY
        return draw_specimen(
            kind, seed=seed, width=480, effects=frozenset(Effect), image_format=image_format
        ).image

    assert draw(7) == draw(7)
    assert draw(7) != draw(8)


def test_front_and_back_of_one_seed_belong_to_one_person() -> None:
    back = small(PermitKind.NON_CHINESE, CardSide.BACK).fields[BACK_FIELD]
    front = small(PermitKind.NON_CHINESE).fields
    assert back["Name"]
    assert front["Number"][0] == ("M" if back["IDNumber"][0].isdigit() else "H")


@pytest.mark.parametrize("image_format", ImageFormat)
def test_files_take_the_format_and_grow_to_the_size_asked_for(image_format: ImageFormat) -> None:
    specimen = draw_specimen(PermitKind.TAIWAN, width=640, image_format=image_format, min_bytes=1_000_000)
    assert 1_000_000 <= len(specimen.image) < 1_010_000
    picture = opened(specimen.image)
    assert (picture.format, picture.width) == (image_format, 640)


@pytest.mark.slow
@pytest.mark.parametrize("effect", Effect)
def test_each_effect_changes_the_picture_and_not_the_fields(effect: Effect) -> None:
    plain, changed = small(), small(effects=frozenset({effect}))
    before, after = opened(plain.image).convert("RGB"), opened(changed.image).convert("RGB")
    assert ImageChops.difference(before, after).getbbox() is not None
    assert {**changed.fields, WARNINGS_FIELD: []} == plain.fields


def test_a_photocopy_is_grey_and_warned_of() -> None:
    specimen = small(effects=frozenset({Effect.PHOTOCOPIED, Effect.NOISY}))
    assert specimen.fields[WARNINGS_FIELD] == [-9102]
    red, green, blue = opened(specimen.image).split()
    assert red.tobytes() == green.tobytes() == blue.tobytes()


@pytest.mark.parametrize("width", [0, 479, 4001])
def test_a_width_out_of_range_is_refused_with_the_range(width: int) -> None:
    with pytest.raises(ValueError, match="480 to 4000"):
        draw_specimen(PermitKind.TAIWAN, width=width)


def test_file_names_tell_specimens_apart() -> None:
    assert small(effects=frozenset({Effect.NOISY})).file_name == "taiwan-front-00000-noisy.jpg"
    assert small(PermitKind.NON_CHINESE, CardSide.BACK).file_name == "non_chinese-back-00000.jpg"


@pytest.mark.parametrize("image_format", ImageFormat)
def test_scenery_is_a_picture_without_label(image_format: ImageFormat) -> None:
    image = draw_scenery(3, image_format=image_format, width=480)
    assert opened(image).format == image_format
    assert read_label(image) is None
    assert image == draw_scenery(3, image_format=image_format, width=480)
