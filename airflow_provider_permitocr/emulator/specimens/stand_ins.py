"""Stand-ins: thousands of labelled files in seconds, for load tests with the `label` engine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Final

from airflow_provider_permitocr.emulator.specimens.kinds import DRAWABLE
from airflow_provider_permitocr.emulator.specimens.label import Label, pad, write_label
from airflow_provider_permitocr.emulator.specimens.permits import make_permit
from airflow_provider_permitocr.emulator.specimens.specimen import MIN_WIDTH, Specimen, draw_scenery
from airflow_provider_permitocr.emulator.specimens.truth import truth
from airflow_provider_permitocr.permit.api import ImageFormat

_FILLER_BYTES: Final = 65_536


def draw_stand_ins(
    count: int,
    *,
    seed: int = 0,
    image_format: ImageFormat = ImageFormat.JPEG,
    width: int = MIN_WIDTH,
    min_bytes: int = 0,
) -> Iterator[Specimen]:
    """Label one landscape as many permits: kinds and sides in turn, a new person after each round.

    Drawing a permit takes 50 ms, labeling a file a tenth of a millisecond. The files are valid and all
    differ, but only their labels can be read: for an engine that reads pixels, they are not permits.

    :param seed: of the first person.
    :param width: of the picture, in pixels, 480 to 4000.
    :param min_bytes: grow each file to at least this size.
    """
    scenery = draw_scenery(seed, image_format=image_format, width=width)
    filler = random.Random(f"stand-ins {seed}").randbytes(_FILLER_BYTES)  # noqa: S311 (no secret)
    picture = pad(scenery, min_bytes, filler)
    for number, (kind, side) in enumerate(islice(cycle(DRAWABLE), count)):
        person = seed + number // len(DRAWABLE)
        fields = truth(make_permit(kind, person), side)
        image = write_label(picture, Label(kind, side, fields))
        yield Specimen(kind, side, person, fields, frozenset(), image, image_format)
