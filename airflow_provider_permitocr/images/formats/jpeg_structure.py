"""The segments of a JPEG file before its pixels, and whether it has an end (ITU-T T.81, annex B).

What libjpeg refuses of a header is refused here; what it reads with a warning is not. Broken pixels cannot be
told without decoding them, and then libjpeg reads on, mostly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from airflow_provider_permitocr.errors import ImageRejectedError
from airflow_provider_permitocr.images.formats.jpeg_tables import (
    Frame,
    Tables,
    broken,
    check_scan,
    read_frame,
)

_SOS: Final = 0xDA
_DQT: Final = 0xDB
_DHT: Final = 0xC4
_END_OF_IMAGE: Final = b"\xff\xd9"
#: Baseline, extended and progressive, with Huffman or arithmetic coding: what libjpeg decodes.
_FRAMES: Final = frozenset([0xC0, 0xC1, 0xC2, 0xC9, 0xCA])
_EOI: Final = 0xD9
#: Decoders pass over filling, stuffed zeros and restart markers, which have no length.
_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
#: A segment has up to 64 kB, so that a thousand are enough for the largest image.
_MOST_SEGMENTS: Final = 10_000
#: Markers with a length that say nothing about the frame: DAC, DNL, DRI, APPn, COM.
_SKIPPED: Final = frozenset([0xCC, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE])
_KNOWN: Final = _FRAMES | _SKIPPED | {_SOS, _DQT, _DHT}


@dataclass(frozen=True, slots=True)
class JpegStructure:
    """What a JPEG's segments say.

    :param is_ended: whether its end marker is there. Where it is not, the file is cut off, or, rarely, whole
        but for the marker: only decoding tells.
    """

    width: int
    height: int
    is_ended: bool


def read_jpeg(image: bytes) -> JpegStructure:
    """Walk the segments of a JPEG up to its pixels, and look for its end from behind.

    A preview in a segment of its own, and what follows the end of the image, are not looked at. Takes
    0.05 ms, and 1 ms for each MB that follows the end, or that has none.

    :raises ImageRejectedError: ImageTruncated where the file ends before the pixels; ImageBroken.
    """
    frame: Frame | None = None
    tables = Tables()
    position = 2
    for _ in range(_MOST_SEGMENTS):
        marker, position = _next_marker(image, position)
        if marker == _EOI and frame is None:
            position = _next_image(image, position)
            continue
        segment = _segment(image, marker, position)
        position += 2 + len(segment)
        if marker == _SOS:
            break
        if marker in _FRAMES:
            if frame:
                raise broken("it has two frames")
            frame = read_frame(marker, segment)
        elif marker == _DQT:
            tables.add_quantization(segment)
        elif marker == _DHT:
            tables.add_huffman(segment)
    else:
        raise broken(f"it has more than {_MOST_SEGMENTS:,} segments")
    if frame is None:
        raise broken("its pixels come before its size")
    check_scan(segment, frame, tables)
    return JpegStructure(frame.width, frame.height, image.rfind(_END_OF_IMAGE, position) >= 0)


def _next_marker(image: bytes, position: int) -> tuple[int, int]:
    """Return the marker at or after a position, and where it ends; decoders pass over what is between."""
    found = _MARKER.search(image, position)
    if not found:
        raise _truncated(image)
    return image[found.end() - 1], found.end()


def _next_image(image: bytes, position: int) -> int:
    """Skip to the next image of the file: decoders look on in there, where damage has hidden the first."""
    start = image.find(b"\xff\xd8\xff", position)
    if start < 0:
        raise broken("it ends before its pixels")
    return start + 2


def _segment(image: bytes, marker: int, position: int) -> bytes:
    if marker not in _KNOWN:
        raise broken(f"its marker {marker:#04x} at byte {position - 2:,} is of no JPEG that decoders read")
    if position + 2 > len(image):
        raise _truncated(image)
    length = int.from_bytes(image[position : position + 2])
    if length < 2 and marker in _SKIPPED:
        return b""  # decoders skip nothing then
    if length < 2:
        raise broken(f"its segment at byte {position:,} has no length")
    if position + length > len(image):
        raise _truncated(image)
    return image[position + 2 : position + length]


def _truncated(image: bytes) -> ImageRejectedError:
    return ImageRejectedError(
        "ImageTruncated", f"the JPEG breaks off: its {len(image):,} bytes end before its pixels"
    )
