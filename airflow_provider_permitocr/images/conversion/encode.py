"""Pictures to files that fit the site's limit, as legible as that allows. Needs the extra ``images``."""

from __future__ import annotations

import math
from io import BytesIO
from typing import Final

from PIL import Image

from airflow_provider_permitocr.errors import ImageRejectedError

#: Below the last, letters get a halo; from there on fewer pixels are better than worse ones.
_QUALITIES: Final = (95, 90, 85, 80)
#: Lowering the quality shrinks a file to a quarter at most. If that is not enough, the qualities in between
#: are skipped.
_MOST_BY_QUALITY: Final = 4
#: From here on color is stored at full resolution.
_FULL_COLOR: Final = 90
#: A card that fills the picture has letters of 20 pixels then; a smaller one is not read reliably.
_MIN_SIDE: Final = 1000


def encode(picture: Image.Image, max_bytes: int) -> tuple[bytes, tuple[int, int]]:
    """Encode a picture as JPEG, or as PNG if that loses nothing: black on white.

    Reduces the quality to no less than 80 first, then the longer side to no less than 1,000 pixels.

    :param picture: of mode 1, L or RGB.
    :return: the file, and width and height of its picture.
    :raises ImageRejectedError: ImageTooLarge, if even that does not fit.
    """
    if picture.mode == "1":
        encoded = _png(picture)
        if len(encoded) <= max_bytes:
            return encoded, picture.size
        picture = picture.convert("L")
    size = 0
    for quality in _QUALITIES:
        if size > max_bytes * _MOST_BY_QUALITY and quality != _QUALITIES[-1]:
            continue
        encoded = _jpeg(picture, quality)
        size = len(encoded)
        if size <= max_bytes:
            return encoded, picture.size
    return _scaled(picture, size, max_bytes)


def _scaled(picture: Image.Image, size: int, max_bytes: int) -> tuple[bytes, tuple[int, int]]:
    scale = 1.0
    while True:
        # Smaller pictures have more detail to a pixel: the square root would come out well below the limit.
        scale *= min(0.95, math.cbrt(max_bytes / size))
        width, height = (max(1, round(side * scale)) for side in picture.size)
        if max(width, height) < _MIN_SIDE:
            raise ImageRejectedError(
                "ImageTooLarge",
                f"the image has over {max_bytes:,} bytes even with a longer side of {_MIN_SIDE:,} pixels",
            )
        smaller = picture.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
        encoded = _jpeg(smaller, _QUALITIES[-1])
        size = len(encoded)
        if size <= max_bytes:
            return encoded, smaller.size


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    file = BytesIO()
    picture.save(file, "JPEG", quality=quality, subsampling=0 if quality >= _FULL_COLOR else 2)
    return file.getvalue()


def _png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()
