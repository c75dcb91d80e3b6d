"""The portrait: drawn head and shoulders of an invented person."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw

from airflow_provider_permitocr.emulator.specimens.drawing.paper import Color

_SKINS: Final = ((242, 208, 178), (233, 194, 160), (222, 178, 142), (246, 216, 190))
_HAIRS: Final = ((32, 27, 26), (48, 38, 33), (68, 52, 44), (92, 88, 86))
_CLOTHES: Final = ((38, 58, 92), (92, 44, 52), (50, 76, 66), (60, 60, 66), (120, 98, 70))
_BACKDROPS: Final = ((222, 231, 240), (232, 236, 240), (208, 224, 238))
_COLLAR: Final = (248, 248, 246)
_SUPERSAMPLING: Final = 3


@dataclass(frozen=True)
class _Canvas:
    """Draws in fractions of the picture's width and height."""

    draw: ImageDraw.ImageDraw
    width: int
    height: int

    def box(self, x: float, y: float, half_width: float, half_height: float) -> tuple[float, ...]:
        left, right = (x - half_width) * self.width, (x + half_width) * self.width
        return left, (y - half_height) * self.height, right, (y + half_height) * self.height

    def ellipse(self, color: Color, *shape: float) -> None:
        self.draw.ellipse(self.box(*shape), fill=color)

    def chord(self, color: Color, start: int, end: int, *shape: float) -> None:
        self.draw.chord(self.box(*shape), start, end, fill=color)

    def arc(self, color: Color, start: int, end: int, thickness: float, *shape: float) -> None:
        self.draw.arc(self.box(*shape), start, end, fill=color, width=round(thickness * self.width))

    def rounded(self, color: Color, radius: float, *shape: float) -> None:
        self.draw.rounded_rectangle(self.box(*shape), radius=radius * self.width, fill=color)

    def polygon(self, color: Color, *points: tuple[float, float]) -> None:
        self.draw.polygon([(x * self.width, y * self.height) for x, y in points], fill=color)


def draw_portrait(rng: random.Random, sex: str, size: tuple[int, int]) -> Image.Image:
    """Draw an invented face.

    :param sex: ``男`` or ``女``.
    :param size: width and height in pixels; the proportions suit about 4:5.
    """
    width, height = size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING
    picture = Image.new("RGB", (width, height), rng.choice(_BACKDROPS))
    canvas = _Canvas(ImageDraw.Draw(picture), width, height)
    skin, hair = rng.choice(_SKINS), rng.choice(_HAIRS)
    breadth = 0.21 + rng.uniform(-0.012, 0.012)
    if sex == "女":
        canvas.rounded(hair, 0.24, 0.5, 0.52, breadth + 0.075, 0.27)
    _draw_body(canvas, skin, rng.choice(_CLOTHES))
    _draw_head(canvas, skin, hair, breadth, sex)
    _draw_face(canvas, skin, hair, rng.uniform(-0.008, 0.008))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _draw_body(canvas: _Canvas, skin: Color, clothes: Color) -> None:
    canvas.ellipse(clothes, 0.5, 1.08, 0.44, 0.31)
    canvas.polygon(_COLLAR, (0.38, 0.785), (0.62, 0.785), (0.5, 0.95))
    canvas.rounded(_shade(skin, 0.9), 0.06, 0.5, 0.71, 0.09, 0.12)


def _draw_head(canvas: _Canvas, skin: Color, hair: Color, breadth: float, sex: str) -> None:
    for ear in (0.5 - breadth, 0.5 + breadth):
        canvas.ellipse(_shade(skin, 0.93), ear, 0.47, 0.032, 0.045)
    canvas.chord(hair, 180, 360, 0.5, 0.42, breadth + 0.025, 0.25)
    canvas.ellipse(skin, 0.5, 0.47, breadth, 0.225)
    if sex == "女":
        canvas.chord(hair, 185, 300, 0.44, 0.40, breadth - 0.02, 0.19)
        canvas.chord(hair, 250, 355, 0.60, 0.37, breadth - 0.07, 0.14)
    else:
        canvas.chord(hair, 190, 350, 0.5, 0.375, breadth - 0.005, 0.15)


def _draw_face(canvas: _Canvas, skin: Color, hair: Color, tilt: float) -> None:
    for side, lift in ((0.41, tilt), (0.59, -tilt)):
        canvas.arc(hair, 205, 335, 0.013, side, 0.445 + lift, 0.055, 0.025)
        canvas.ellipse((250, 250, 250), side, 0.475, 0.036, 0.015)
        canvas.ellipse((40, 30, 28), side, 0.475, 0.016, 0.015)
    canvas.arc(_shade(skin, 0.78), 20, 160, 0.011, 0.5, 0.545, 0.035, 0.018)
    canvas.arc((176, 92, 88), 15, 165, 0.014, 0.5, 0.598, 0.072, 0.028)


def _shade(color: Color, factor: float) -> Color:
    red, green, blue = (round(channel * factor) for channel in color)
    return red, green, blue
