"""The portrait: the framed picture left of the text."""

from __future__ import annotations

import base64
import math
from typing import Final

import cv2
import numpy as np

from airflow_provider_permitocr.emulator.engines.assembly import split_at_labels
from airflow_provider_permitocr.emulator.engines.picture import Pixels
from airflow_provider_permitocr.emulator.engines.text_reader import Text

_COLUMN: Final = frozenset({"Name", "Sex", "Birthday", "ValidDate", "IssueAuthority", "IssueAddress"})
_JPEG_QUALITY: Final = 90
#: Strengths of edge to try in turn: the first outlines a frame and not the paper's fine waves, the second
#: still sees the frame on a blurred copy.
_EDGES: Final = ((120, 260), (40, 120))
#: Aspect ratio of an identity photo, and its minimum share of the area to search.
_PROPORTIONS: Final = (0.7, 0.9)
_LEAST_SHARE: Final = 0.3

Box = tuple[int, int, int, int]


def cut_portrait(pixels: Pixels, text: Text) -> str:
    """Cut out the portrait of a front, laid straight.

    :param pixels: height by width by blue, green and red.
    :return: a JPEG in base64; '' if the text leaves no room for a portrait.
    """
    upright = _turn(pixels, text.angle)
    place = _place(text, upright.shape[1], upright.shape[0])
    if place is None:
        return ""
    left, top, right, bottom = place
    area = upright[top:bottom, left:right]
    x, y, width, height = _frame(area)
    done, jpeg = cv2.imencode(
        ".jpg", area[y : y + height, x : x + width], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    return base64.b64encode(jpeg.tobytes()).decode() if done else ""


def _turn(pixels: Pixels, angle: float) -> Pixels:
    """Rotate around the origin, as was done to the lines, so that their positions apply."""
    if not angle:
        return pixels
    cos, sin = math.cos(angle), math.sin(angle)
    size = (pixels.shape[1], pixels.shape[0])
    turned = cv2.warpAffine(pixels, np.array([[cos, sin, 0.0], [-sin, cos, 0.0]]), size)
    return turned.astype(np.uint8, copy=False)


def _place(text: Text, width: int, height: int) -> Box | None:
    """Where the portrait must be: left of the column of labels, below the title, above the number."""
    labels = [piece for line in text.lines for piece in split_at_labels(line) if piece.field in _COLUMN]
    if not labels:
        return None
    column = min(piece.line.left for piece in labels)
    size = labels[0].line.height
    first = min(piece.line.top for piece in labels)
    last = max(piece.line.bottom for piece in labels)
    beneath = [line.top for line in text.lines if line.right < column and line.top > (first + last) / 2]
    title = [line.bottom for line in text.lines if line.bottom < first and line.left < column]
    left = max(0, round(column - (last - first)))
    top = max(0, round(max([*title, first - 2 * size])))
    right = min(width, round(column - size / 4))
    bottom = min(height, round(min([*beneath, last + size])))
    room = right - left > 2 * size and bottom - top > 2 * size
    return (left, top, right, bottom) if room else None


def _frame(area: Pixels) -> Box:
    """The portrait's own frame in the area; the whole area if no frame is found."""
    height, width = area.shape[:2]
    smooth = cv2.GaussianBlur(cv2.cvtColor(area, cv2.COLOR_BGR2GRAY), (3, 3), 0)
    for weakest, strongest in _EDGES:
        edges = cv2.Canny(smooth, weakest, strongest)
        closed = cv2.morphologyEx(edges, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        boxes = [cv2.boundingRect(contour) for contour in contours]
        framed = [
            (w * h, x, y, w, h)
            for x, y, w, h in boxes
            if _PROPORTIONS[0] <= w / h <= _PROPORTIONS[1] and w * h >= _LEAST_SHARE * width * height
        ]
        if framed:
            _, x, y, w, h = max(framed)
            return x, y, w, h
    return 0, 0, width, height
