"""One specimen: a drawn permit as a file, with the answer that the API should give for it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFilter

from airflow_provider_permitocr.emulator.specimens.drawing.cards import draw_card
from airflow_provider_permitocr.emulator.specimens.drawing.effects import Effect, apply_effects, skew_angle
from airflow_provider_permitocr.emulator.specimens.drawing.paper import round_corners
from airflow_provider_permitocr.emulator.specimens.kinds import PermitKind
from airflow_provider_permitocr.emulator.specimens.label import Label, pad, write_label
from airflow_provider_permitocr.emulator.specimens.permits import make_permit
from airflow_provider_permitocr.emulator.specimens.truth import truth
from airflow_provider_permitocr.permit.api import (
    WARNINGS_FIELD,
    CardSide,
    CardWarning,
    ImageFormat,
)

MIN_WIDTH: Final = 480
MAX_WIDTH: Final = 4000
_TABLES: Final = ((218, 220, 222), (206, 200, 190), (190, 198, 204), (226, 224, 218))
_FILLER_BYTES: Final = 65_536


@dataclass(frozen=True)
class Specimen:
    """A drawn permit.

    :param fields: the answer that the API should give when asked for this side: every output field
        but ``RequestId``, see :mod:`.truth`.
    :param image: the file, with its label inside.
    """

    kind: PermitKind
    side: CardSide
    seed: int
    fields: dict[str, Any]
    effects: frozenset[Effect]
    image: bytes
    image_format: ImageFormat

    @property
    def file_name(self) -> str:
        """Names kind, side, seed and effects, e.g. ``taiwan-front-00007-blurred.jpg``."""
        parts = [self.kind, self.side.lower(), f"{self.seed:05d}", *sorted(self.effects)]
        return "-".join(parts) + (".png" if self.image_format is ImageFormat.PNG else ".jpg")


def draw_specimen(
    kind: PermitKind,
    side: CardSide = CardSide.FRONT,
    seed: int = 0,
    *,
    image_format: ImageFormat = ImageFormat.JPEG,
    width: int = 1200,
    effects: frozenset[Effect] = frozenset(),
    min_bytes: int = 0,
) -> Specimen:
    """Draw a permit of an invented person; the same arguments give the same bytes.

    :param seed: identifies the person. Front and back of the same kind and seed belong together.
    :param width: of the picture, in pixels, 480 to 4000.
    :param min_bytes: grow the file to at least this size, for load tests.
    :raises ValueError: if the API does not read this side of this kind, or the width is out of range.
    """
    if not MIN_WIDTH <= width <= MAX_WIDTH:
        raise ValueError(f"width={width}: choose {MIN_WIDTH} to {MAX_WIDTH} pixels")
    permit = make_permit(kind, seed)
    fields = truth(permit, side)
    if Effect.PHOTOCOPIED in effects:
        fields[WARNINGS_FIELD] = [int(CardWarning.PHOTOCOPY)]
    rng = random.Random(f"drawing {kind} {side} {seed}")  # noqa: S311 (no secret: it must repeat)
    card = draw_card(permit, side, round(width * 0.9), rng)
    picture = apply_effects(_lay_down(card, width, skew_angle(effects, rng), rng), effects, seed)
    image = pad(encode(picture, image_format), min_bytes, rng.randbytes(_FILLER_BYTES))
    image = write_label(image, Label(kind, side, fields))
    return Specimen(kind, side, seed, fields, effects, image, image_format)


def encode(picture: Image.Image, image_format: ImageFormat, quality: int = 90) -> bytes:
    """Save a picture.

    :param quality: of a JPEG, 1 to 95.
    """
    buffer = BytesIO()
    if image_format is ImageFormat.PNG:
        picture.save(buffer, "PNG", compress_level=4)
    else:
        picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _lay_down(card: Image.Image, width: int, angle: float, rng: random.Random) -> Image.Image:
    """Put the card on a table, turned by ``angle`` degrees, with a soft shadow."""
    height = round(card.height + (width - card.width))
    table = Image.new("RGB", (width, height), rng.choice(_TABLES))
    mask = round_corners(card.size, round(card.width * 0.03))
    if angle:
        card = card.rotate(angle, Image.Resampling.BICUBIC, expand=True)
        mask = mask.rotate(angle, Image.Resampling.BICUBIC, expand=True)
        fit = min((width - 8) / card.width, (height - 8) / card.height, 1.0)
        size = (round(card.width * fit), round(card.height * fit))
        card, mask = card.resize(size, Image.Resampling.LANCZOS), mask.resize(size, Image.Resampling.LANCZOS)
    left, top = (width - card.width) // 2, (height - card.height) // 2
    offset = max(1, width // 300)
    shadow = Image.new("L", table.size, 0)
    shadow.paste(mask.point([level * 2 // 5 for level in range(256)]), (left + offset, top + offset))
    shadow = shadow.filter(ImageFilter.GaussianBlur(offset * 1.5))
    table.paste((60, 60, 64), (0, 0), shadow)
    table.paste(card, (left, top), mask)
    return table


def draw_scenery(seed: int = 0, *, image_format: ImageFormat = ImageFormat.JPEG, width: int = 1200) -> bytes:
    """Draw a picture that is not a permit: hills under an evening sky, without a label.

    :param width: in pixels, 480 to 4000.
    """
    rng = random.Random(f"scenery {seed}")  # noqa: S311 (no secret: it must repeat)
    height = width * 2 // 3
    sky = Image.linear_gradient("L").resize((width, height))
    picture = Image.composite(
        Image.new("RGB", sky.size, (250, 214, 170)), Image.new("RGB", sky.size, (96, 140, 196)), sky
    )
    draw = ImageDraw.Draw(picture)
    x, y, radius = rng.uniform(0.2, 0.8) * width, 0.3 * height, 0.05 * width
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 244, 214))
    for layer in range(4):
        ridge = height * (0.5 + 0.12 * layer)
        points: list[tuple[float, float]] = [(0, height)]
        for step in range(13):
            points.append((width * step / 12, ridge + rng.uniform(-0.07, 0.05) * height))
        shade = 1 - 0.2 * layer
        draw.polygon([*points, (width, height)], fill=tuple(round(c * shade) for c in (112, 138, 128)))
    return encode(picture, image_format)
