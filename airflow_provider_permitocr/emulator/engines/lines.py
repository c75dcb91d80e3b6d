"""Lines of text as an OCR engine finds them, laid straight."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

Point = tuple[float, float]
#: Corners of one text box: upper left, upper right, lower right, lower left, as read.
Quad = Sequence[Point]

#: Boxes at least this much wider than tall show the direction of writing.
_TELLING_ASPECT: Final = 3.0


@dataclass(frozen=True)
class Line:
    """One piece of text and its upright frame, in pixels of the straightened picture."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        """From top to bottom, in pixels."""
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """Height above which half of the line lies, in pixels from the top."""
        return (self.top + self.bottom) / 2


def writing_angle(quads: Iterable[Quad]) -> float:
    """The slope of the writing in radians: the median over long boxes, 0 if there are none."""
    angles = [
        math.atan2(right[1] - left[1], right[0] - left[0])
        for left, right, lower, _ in quads
        if math.dist(left, right) >= _TELLING_ASPECT * math.dist(right, lower)
    ]
    return statistics.median(angles) if angles else 0.0


def rotate(point: Point, angle: float) -> Point:
    """Turn a point around the origin by ``-angle``, which lays writing of that slope level."""
    cos, sin = math.cos(angle), math.sin(angle)
    return point[0] * cos + point[1] * sin, point[1] * cos - point[0] * sin


def straighten(quads: Sequence[Quad], texts: Sequence[str], angle: float) -> list[Line]:
    """Rotate every box to level.

    The frame averages opposite corners, so that a box's own small tilt does not make it taller.
    """
    lines = []
    for quad, text in zip(quads, texts, strict=True):
        upper_left, upper_right, lower_right, lower_left = (rotate(corner, angle) for corner in quad)
        lines.append(
            Line(
                text,
                left=(upper_left[0] + lower_left[0]) / 2,
                top=(upper_left[1] + upper_right[1]) / 2,
                right=(upper_right[0] + lower_right[0]) / 2,
                bottom=(lower_left[1] + lower_right[1]) / 2,
            )
        )
    return lines
