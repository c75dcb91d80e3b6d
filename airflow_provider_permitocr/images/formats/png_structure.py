"""The chunks of a PNG file, walked without inflating its pixels (W3C, PNG specification, 5 and 11)."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from airflow_provider_permitocr.errors import ImageRejectedError

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_CHUNK_START: Final = struct.Struct(">I4s")
_CHECKSUM: Final = struct.Struct(">I")
_SIZE: Final = struct.Struct(">II")
_CHUNK_TYPE: Final = re.compile(rb"\w{4}")
#: In a chunk's type, the case of the first letter (W3C, PNG specification, 5.4).
_ANCILLARY: Final = 0x20
#: An image of the largest size, in pieces of 4 kB, has 16,000 chunks. Each takes a microsecond to look at.
_MOST_CHUNKS: Final = 100_000


class _Chunk(NamedTuple):
    """A chunk, from its length to its checksum.

    :param is_intact: whether the checksum is right.
    """

    kind: bytes
    start: int
    end: int
    is_intact: bool

    @property
    def is_ancillary(self) -> bool:
        """Whether decoders can do without it."""
        return bool(self.kind[0] & _ANCILLARY)


def png_size(image: bytes) -> tuple[int, int]:
    """Return width and height of a PNG; check that it has all chunks, with correct critical checksums.

    Ignores data after the last chunk. Takes 0.3 ms per MB, most of it without the GIL.

    :raises ImageRejectedError: ImageTruncated or ImageBroken.
    """
    size: tuple[int, int] | None = None
    has_pixels = False
    view = memoryview(image)
    for chunk in _chunks(view):
        if chunk.kind == b"IDAT":
            has_pixels = True
        elif chunk.kind == b"IHDR" and not has_pixels:
            size = _size(view[chunk.start + 8 : chunk.end - 4])
    if size is None or not has_pixels:
        raise _broken("it has no header or no pixels")
    return size


def without_faulty_chunks(image: bytes) -> bytes:
    """Return a PNG without ancillary chunks with a wrong checksum, which Pillow would refuse.

    :raises ImageRejectedError: as ``png_size``.
    """
    view = memoryview(image)
    chunks = list(_chunks(view))
    if all(each.is_intact for each in chunks):
        return image
    kept = (view[each.start : each.end] for each in chunks if each.is_intact)
    return b"".join([SIGNATURE, *kept, view[chunks[-1].end :]])


def _chunks(view: memoryview) -> Iterator[_Chunk]:
    """Yield the chunks before the one that ends the file."""
    position = len(SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        chunk = _chunk(view, position)
        if chunk.kind == b"IEND":
            return
        if not (chunk.is_intact or chunk.is_ancillary):
            raise _broken(f"the checksum of the chunk at byte {position:,} is wrong")
        yield chunk
        position = chunk.end
    raise _broken(f"it has more than {_MOST_CHUNKS:,} chunks")


def _chunk(view: memoryview, position: int) -> _Chunk:
    if position + 8 > len(view):
        raise _truncated(len(view))
    length, kind = _CHUNK_START.unpack_from(view, position)
    if kind == b"IEND":
        return _Chunk(kind, position, position + 8, is_intact=True)
    if not _CHUNK_TYPE.fullmatch(kind):
        raise _broken(f"there is no chunk at byte {position:,}")
    checked = position + 8 + length
    if checked + 4 > len(view):
        raise _truncated(len(view))
    is_intact = zlib.crc32(view[position + 4 : checked]) == _CHECKSUM.unpack_from(view, checked)[0]
    return _Chunk(kind, position, checked + 4, is_intact)


def _size(header: memoryview) -> tuple[int, int]:
    if len(header) < _SIZE.size:
        raise _broken("its header is too short")
    width, height = _SIZE.unpack_from(header)
    return width, height


def _truncated(size: int) -> ImageRejectedError:
    return ImageRejectedError("ImageTruncated", f"the PNG is truncated: its {size:,} bytes lack its end")


def _broken(reason: str) -> ImageRejectedError:
    return ImageRejectedError("ImageBroken", f"the PNG is damaged: {reason}")
