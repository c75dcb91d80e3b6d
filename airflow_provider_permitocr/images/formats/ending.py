"""Whether a file that cannot be decoded is the beginning of one that could be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

_GIF_END: Final = b"\x3b"
_PDF_END: Final = b"%%EOF"
#: Readers of PDF look for its end in here, after which other programs may append data.
_PDF_TAIL: Final = 2048
#: Boxes at the top of a HEIF or AVIF; a file has about five.
_MOST_BOXES: Final = 1000


def is_cut_off(image: bytes, image_format: str) -> bool:
    """Return whether a file's own structure, or its missing end, shows that it is truncated.

    :param image_format: as ``image_format.py`` names it; it distinguishes PNG and JPEG itself.
    :return: False if nothing shows that, which does not prove that the file is complete.
    """
    lacks_end = _LACKS_END.get(image_format)
    return lacks_end is not None and lacks_end(image)


def _lacks_gif_end(image: bytes) -> bool:
    return not image.rstrip(b"\x00").endswith(_GIF_END)


def _lacks_pdf_end(image: bytes) -> bool:
    return _PDF_END not in image[-_PDF_TAIL:]


def _is_shorter_than_bmp(image: bytes) -> bool:
    return len(image) < int.from_bytes(image[2:6], "little")


def _is_shorter_than_riff(image: bytes) -> bool:
    return len(image) < 8 + int.from_bytes(image[4:8], "little")


def _lacks_tiff_directory(image: bytes) -> bool:
    """Return whether the first directory is missing, which most programs write last."""
    order: Literal["little", "big"] = "little" if image[:1] == b"I" else "big"
    is_big = image[2:4] in (b"+\x00", b"\x00+")
    return int.from_bytes(image[8:16] if is_big else image[4:8], order) + 2 > len(image)


def _ends_in_a_box(image: bytes) -> bool:
    """Return whether an ISO/IEC 14496-12 file ends inside a box; each box starts with its size."""
    position = 0
    for _ in range(_MOST_BOXES):
        if position >= len(image):
            return position > len(image)
        size = int.from_bytes(image[position : position + 4])
        if size == 1:  # a large one
            size = int.from_bytes(image[position + 8 : position + 16])
        if size < 8:  # the box extends to the end of the file, or is invalid
            return False
        position += size
    return False


_LACKS_END: Final[dict[str, Callable[[bytes], bool]]] = {
    "AVIF": _ends_in_a_box,
    "BMP": _is_shorter_than_bmp,
    "GIF": _lacks_gif_end,
    "HEIC": _ends_in_a_box,
    "HEIF": _ends_in_a_box,
    "PDF": _lacks_pdf_end,
    "TIFF": _lacks_tiff_directory,
    "WEBP": _is_shorter_than_riff,
}
