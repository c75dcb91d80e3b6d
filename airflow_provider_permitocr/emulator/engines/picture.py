"""Pixels: decodes a file at a useful size, and detects photocopies."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from airflow_provider_permitocr.emulator.engines.answer import image_decode_failed
from airflow_provider_permitocr.emulator.images import open_image

Pixels = NDArray[np.uint8]

#: Reading gets no better above this, only slower.
MAX_SIDE: Final = 1280
_GREY_SPREAD: Final = 9.0


def decode(image: bytes) -> Image.Image:
    """Decode a file as RGB, rotated upright by its EXIF, its longer side at most :data:`MAX_SIDE`.

    :raises ApiError: ``FailedOperation.ImageDecodeFailed`` for a damaged or absurdly large picture.
    """
    try:
        with open_image(image) as opened:
            # JPEG decodes at half, a quarter or an eighth of its size for a fraction of the time.
            opened.draft("RGB", (MAX_SIDE, MAX_SIDE))
            picture = _on_white(ImageOps.exif_transpose(opened))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise image_decode_failed() from error
    picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BOX)
    return picture


def looks_photocopied(picture: Image.Image) -> bool:
    """Whether the picture has no color: the difference between its channels, with noise averaged out."""
    small = np.asarray(picture.resize((48, 32), Image.Resampling.BOX), dtype=np.float64)
    spread = small.max(axis=2) - small.min(axis=2)
    return float(np.percentile(spread, 98)) < _GREY_SPREAD


def _on_white(picture: Image.Image) -> Image.Image:
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
