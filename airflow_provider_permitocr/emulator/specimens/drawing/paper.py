"""The card's paper: a tinted ground with fine interfering waves, as security printing has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Ink:
    """Colors of one card, as RGB.

    :param ground: upper left and lower right corner of the paper.
    :param wave: the fine lines on it.
    :param title: title and motif.
    :param label: names of the fields.
    :param value: the fields themselves.
    """

    ground: tuple[Color, Color]
    wave: Color
    title: Color
    label: Color
    value: Color = (28, 28, 34)


def draw_paper(size: tuple[int, int], ink: Ink, phase: float) -> Image.Image:
    """Draw the empty card.

    :param phase: shifts the waves, so that no two cards are the same.
    """
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, height / width, height))
    blend = (0.6 * x + 0.65 * y)[..., None].clip(0, 1)
    paper = (1 - blend) * np.array(ink.ground[0]) + blend * np.array(ink.ground[1])
    for number in range(3):
        bend = 0.03 * np.sin(2 * np.pi * (1.3 * x + 0.2 * number) + phase + number)
        bend += 0.012 * np.sin(2 * np.pi * (3.1 * x - y) - phase)
        crest = np.cos(2 * np.pi * (y + bend * (1 + 0.5 * number)) * (26 + 5 * number))
        strength = 0.16 * np.clip((crest - 0.90) / 0.10, 0, 1)[..., None]
        paper = (1 - strength) * paper + strength * np.array(ink.wave)
    _add_rosette(paper, x, y, ink.wave, phase)
    return Image.fromarray(paper.clip(0, 255).astype(np.uint8), "RGB")


def round_corners(size: tuple[int, int], radius: int) -> Image.Image:
    """A mask of a card's shape, for pasting."""
    scale = 2
    mask = Image.new("L", (size[0] * scale, size[1] * scale), 0)
    ImageDraw.Draw(mask).rounded_rectangle(
        (0, 0, mask.width - 1, mask.height - 1), radius=radius * scale, fill=255
    )
    return mask.resize(size, Image.Resampling.LANCZOS)


def _add_rosette(
    paper: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    x: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    y: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    wave: Color,
    phase: float,
) -> None:
    """A flower of thin rings in the lower right, behind the fields."""
    dx, dy = x - 0.84, y - 0.42
    radius, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    ring = np.cos(2 * np.pi * 34 * (radius + 0.012 * np.sin(12 * angle + phase)))
    fade = np.clip(1 - radius / 0.22, 0, 1)
    strength = (0.5 * fade * np.clip((ring - 0.7) / 0.3, 0, 1))[..., None]
    paper += strength * (np.array(wave) - paper)
