from __future__ import annotations

from itertools import islice

import pytest

from airflow_provider_permitocr.emulator.engines.label import LabelEngine
from airflow_provider_permitocr.emulator.images import check_image
from airflow_provider_permitocr.emulator.specimens import DRAWABLE, draw_specimen, draw_stand_ins
from airflow_provider_permitocr.permit.api import ImageFormat


@pytest.mark.parametrize("image_format", ImageFormat)
def test_each_is_a_valid_file_that_the_label_engine_reads_as_its_own_person(
    image_format: ImageFormat,
) -> None:
    drawn = list(draw_stand_ins(12, image_format=image_format, min_bytes=100_000))
    assert len({stand_in.image for stand_in in drawn}) == 12
    assert {(stand_in.kind, stand_in.side) for stand_in in drawn} == set(DRAWABLE)
    for stand_in in drawn:
        assert len(stand_in.image) >= 100_000
        assert check_image(stand_in.image, "intl") is image_format
        assert LabelEngine().read(stand_in.image, stand_in.side, with_portrait=False) == {
            **stand_in.fields,
            "Profile": "",
        }


def test_they_are_the_people_that_specimens_of_the_same_seed_show() -> None:
    for stand_in in islice(draw_stand_ins(8, seed=3), 6, None):
        specimen = draw_specimen(stand_in.kind, stand_in.side, stand_in.seed, width=480)
        assert (stand_in.seed, stand_in.fields) == (4, specimen.fields)
