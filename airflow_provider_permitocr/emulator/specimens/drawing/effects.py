"""What happens to a card on its way into a file: laid askew, out of focus, noisy, photocopied."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import Final

import numpy as np
from PIL import Image, ImageFilter, ImageOps

_NOISE_SIGMA: Final = 13.0


class Effect(StrEnum):
    """Applied in the order of this enumeration, whatever the order in the request."""

    SKEWED = "skewed"
    PHOTOCOPIED = "photocopied"
    BLURRED = "blurred"
    NOISY = "noisy"


def skew_angle(effects: frozenset[Effect], rng: random.Random) -> float:
    """By how many degrees the card is turned: 3 to 9 either way when skewed, else 0."""
    return rng.choice((-1, 1)) * rng.uniform(3, 9) if Effect.SKEWED in effects else 0.0


def apply_effects(picture: Image.Image, effects: frozenset[Effect], seed: int) -> Image.Image:
    """Apply every effect except the skew, which is applied when the card is placed.

    Strengths grow with the picture, so that they look the same at every size.
    """
    if Effect.PHOTOCOPIED in effects:
        picture = _photocopy(picture)
    if Effect.BLURRED in effects:
        picture = picture.filter(ImageFilter.GaussianBlur(picture.width * 0.0013))
    if Effect.NOISY in effects:
        picture = _add_noise(picture, seed)
    return picture


def _photocopy(picture: Image.Image) -> Image.Image:
    grey = ImageOps.autocontrast(ImageOps.grayscale(picture), cutoff=(1, 8))
    return grey.point([min(255, round(12 + level * 1.02)) for level in range(256)]).convert("RGB")


def _add_noise(picture: Image.Image, seed: int) -> Image.Image:
    pixels = np.asarray(picture, dtype=np.float32)
    noise = np.random.default_rng(seed).normal(0, _NOISE_SIGMA, pixels.shape[:2])
    return Image.fromarray((pixels + noise[..., None]).clip(0, 255).astype(np.uint8), "RGB")
