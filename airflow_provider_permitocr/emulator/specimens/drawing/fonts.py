"""The typeface of all specimens: Noto Sans SC, from a package, in any weight."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from PIL import ImageFont

_FONT = "fonts/ofl/notosanssc/NotoSansSC[wght].ttf"


@lru_cache(maxsize=256)
def font(size: int, weight: int = 400) -> ImageFont.FreeTypeFont:
    """Load the typeface.

    :param size: in pixels.
    :param weight: 100 (thin) to 900 (black).
    """
    face = ImageFont.truetype(str(files("justmytype_intl_cjk") / _FONT), size)
    face.set_variation_by_axes([weight])
    return face
