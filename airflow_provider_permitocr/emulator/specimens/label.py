"""The label inside a specimen's file that records what was drawn, so that it can be read without pixels.

PNG keeps it in an ``iTXt`` chunk behind the header, JPEG in a comment segment behind the start marker.
Reading walks the file's segments by their lengths and never touches pixel data, so its cost does not
grow with the picture.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_permitocr.permit.api import CardSide, ImageFormat

_KEYWORD: Final = b"PermitSpecimen"
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER_END: Final = 33  # signature and IHDR, which has to come first
_JPEG_START: Final = b"\xff\xd8"
_JPEG_COMMENT: Final = 0xFE
_JPEG_PADDING: Final = 0xEF  # APP15
_JPEG_SCAN: Final = 0xDA
_JPEG_SEGMENT_MAX: Final = 65_533
#: An iTXt chunk's five fields between keyword and text: no compression, no language, no translation.
_ITXT_FIELDS: Final = b"\0\0\0\0\0"


@dataclass(frozen=True)
class Label:
    """What a specimen shows.

    :param kind: value of a ``PermitKind``.
    :param side: the side that was drawn.
    :param fields: the answer that the API should give, without ``RequestId``.
    """

    kind: str
    side: CardSide
    fields: dict[str, Any]


def image_format(image: bytes) -> ImageFormat | None:
    """Return a file's format from its first bytes; ``None`` if it is neither PNG nor JPEG."""
    if image.startswith(_PNG_SIGNATURE):
        return ImageFormat.PNG
    return ImageFormat.JPEG if image.startswith(_JPEG_START) else None


def write_label(image: bytes, label: Label) -> bytes:
    """Put a label into a PNG or JPEG file, leaving its pixels unchanged.

    :raises ValueError: if the image is neither.
    """
    text = json.dumps(
        {"kind": label.kind, "side": label.side, "fields": label.fields}, ensure_ascii=False
    ).encode()
    if image_format(image) is ImageFormat.PNG:
        return _insert(image, _PNG_HEADER_END, _png_chunk(b"iTXt", _KEYWORD + _ITXT_FIELDS + text))
    if image_format(image) is ImageFormat.JPEG:
        return _insert(image, len(_JPEG_START), _jpeg_segment(_JPEG_COMMENT, _KEYWORD + b"\0" + text))
    raise ValueError("only PNG and JPEG files carry a label: save the picture as one of them first")


def read_label(image: bytes) -> Label | None:
    """Read a file's label.

    :return: ``None`` if the file has none, is truncated before it, or is neither PNG nor JPEG.
    """
    found = _find(image)
    if found is None:
        return None
    try:
        content = json.loads(found)
        return Label(content["kind"], CardSide(content["side"]), content["fields"])
    except (KeyError, TypeError, ValueError):
        # Other programs' text under our keyword is not a label.
        return None


def pad(image: bytes, min_bytes: int, filler: bytes) -> bytes:
    """Grow a file to at least ``min_bytes`` with segments that decoders skip.

    :param filler: bytes to repeat; random ones keep the file incompressible, as pictures are.
    :raises ValueError: if the image is neither PNG nor JPEG, or the filler is empty.
    """
    missing = min_bytes - len(image)
    if missing <= 0:
        return image
    if not filler:
        raise ValueError("filler is empty: give at least one byte to fill with")
    if image_format(image) is ImageFormat.PNG:
        # Lower case letters mark the chunk as optional, private and safe to copy.
        return _insert(image, _PNG_HEADER_END, _png_chunk(b"fiLl", _repeat(filler, missing)))
    if image_format(image) is ImageFormat.JPEG:
        body = _repeat(filler, missing)
        steps = range(0, missing, _JPEG_SEGMENT_MAX)
        segments = [_jpeg_segment(_JPEG_PADDING, body[at : at + _JPEG_SEGMENT_MAX]) for at in steps]
        return _insert(image, len(_JPEG_START), b"".join(segments))
    raise ValueError("only PNG and JPEG files can be padded: save the picture as one of them first")


def _find(image: bytes) -> bytes | None:
    kind = image_format(image)
    if kind is None:
        return None
    return _find_in_png(image) if kind is ImageFormat.PNG else _find_in_jpeg(image)


def _find_in_png(image: bytes) -> bytes | None:
    prefix = _KEYWORD + _ITXT_FIELDS
    at = len(_PNG_SIGNATURE)
    while at + 12 <= len(image):
        length = int.from_bytes(image[at : at + 4])
        name = image[at + 4 : at + 8]
        if name == b"IDAT":
            return None
        if name == b"iTXt" and image.startswith(prefix, at + 8):
            return image[at + 8 + len(prefix) : at + 8 + length]
        at += 12 + length
    return None


def _find_in_jpeg(image: bytes) -> bytes | None:
    prefix = _KEYWORD + b"\0"
    at = len(_JPEG_START)
    while at + 4 <= len(image) and image[at] == 0xFF and image[at + 1] != _JPEG_SCAN:
        length = int.from_bytes(image[at + 2 : at + 4])
        if image[at + 1] == _JPEG_COMMENT and image.startswith(prefix, at + 4):
            return image[at + 4 + len(prefix) : at + 2 + length]
        at += 2 + max(length, 2)
    return None


def _insert(image: bytes, at: int, segment: bytes) -> bytes:
    return b"".join((image[:at], segment, image[at:]))


def _repeat(filler: bytes, length: int) -> bytes:
    return (filler * (length // len(filler) + 1))[:length]


def _png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _jpeg_segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
