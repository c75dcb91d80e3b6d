"""What a JPEG must hold before its pixels: a frame, tables, a scan's header (ITU-T T.81, annex B).

The rules are those of libjpeg (jdmarker.c, jdinput.c, jdhuff.c, jdphuff.c), where they end in an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from airflow_provider_permitocr.errors import ImageRejectedError

#: Start-of-frame markers with progressive scans, and with arithmetic coding, which has no Huffman tables.
_PROGRESSIVE: Final = frozenset([0xC2, 0xCA])
_ARITHMETIC: Final = frozenset([0xC9, 0xCA])
_COMPONENTS: Final = (1, 3, 4)
#: libjpeg's limits (JPEG_MAX_DIMENSION, D_MAX_BLOCKS_IN_MCU).
_MAX_SIDE: Final = 65_500
_MAX_BLOCKS: Final = 10
#: A JPEG has twelve at most, and may bring each again.
_MOST_TABLES: Final = 1000
#: Of the tables of motion JPEG, which libjpeg puts where a file has none.
_STANDARD_TABLES: Final = (0, 1)


@dataclass(frozen=True, slots=True)
class Component:
    """One color of a frame.

    :param blocks: 8x8 blocks in a unit of an interleaved scan.
    :param quantization: number of its table.
    """

    blocks: int
    quantization: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame's header.

    :param components: by their identifiers.
    """

    width: int
    height: int
    is_progressive: bool
    is_arithmetic: bool
    components: dict[int, Component]


@dataclass(slots=True)
class Tables:
    """The tables that come before the first scan.

    :param quantization: numbers of those that are there.
    :param huffman: whether one can be decoded with, by class (0 for DC, 16 for AC) plus number.
    :param count: tables so far, those included that others have replaced.
    """

    quantization: set[int] = field(default_factory=set)
    huffman: dict[int, bool] = field(default_factory=dict)
    count: int = 0

    def add_quantization(self, segment: bytes) -> None:
        """Read a DQT segment.

        :raises ImageRejectedError: ImageBroken.
        """
        while segment:
            size = 1 + (128 if segment[0] >> 4 else 64)
            if segment[0] & 15 > 3 or len(segment) < size:
                raise broken("a quantization table is incomplete")
            self.quantization.add(segment[0] & 15)
            segment = segment[size:]
            self._counted()

    def add_huffman(self, segment: bytes) -> None:
        """Read a DHT segment.

        :raises ImageRejectedError: ImageBroken.
        """
        while segment:
            counts = segment[1:17]
            size = 17 + sum(counts)
            if segment[0] & ~0x10 > 3 or size > 17 + 256 or len(segment) < size:
                raise broken("a Huffman table is incomplete")
            is_dc = segment[0] < 16
            symbols_exist = not is_dc or max(segment[17:size], default=0) < 16
            self.huffman[segment[0]] = symbols_exist and _has_room(counts)
            segment = segment[size:]
            self._counted()

    def _counted(self) -> None:
        self.count += 1
        if self.count > _MOST_TABLES:
            raise broken(f"it has more than {_MOST_TABLES:,} tables")


def read_frame(marker: int, segment: bytes) -> Frame:
    """Read a SOF segment.

    :raises ImageRejectedError: ImageBroken.
    """
    if len(segment) < 6:
        raise broken("its frame is too short")
    bits, count = segment[0], segment[5]
    height, width = int.from_bytes(segment[1:3]), int.from_bytes(segment[3:5])
    if bits != 8 or count not in _COMPONENTS or len(segment) != 6 + 3 * count:
        raise broken(f"it has {count} components of {bits} bits; decoders read 1, 3 or 4 of 8")
    if max(width, height) > _MAX_SIDE:
        raise broken(f"it has {width:,} x {height:,} pixels; no side of a JPEG has more than {_MAX_SIDE:,}")
    components = {}
    for start in range(6, len(segment), 3):
        identifier, sampling, quantization = segment[start : start + 3]
        across, down = divmod(sampling, 16)
        if not (1 <= across <= 4 and 1 <= down <= 4):
            raise broken("its frame names a sampling that does not exist")
        components[identifier] = Component(across * down, quantization)
    return Frame(width, height, marker in _PROGRESSIVE, marker in _ARITHMETIC, components)


def check_scan(segment: bytes, frame: Frame, tables: Tables) -> None:
    """Check a SOS segment, the first, against what comes before it.

    :raises ImageRejectedError: ImageBroken.
    """
    count = segment[0] if segment else 0
    if not 1 <= count <= 4 or len(segment) != 4 + 2 * count:
        raise broken("its first scan is incomplete")
    identifiers, selectors = segment[1:-3:2], segment[2:-3:2]
    if len(set(identifiers)) != count or not frame.components.keys() >= set(identifiers):
        raise broken("its first scan names a component twice, or one that its frame does not have")
    scanned = [frame.components[each] for each in identifiers]
    if count > 1 and sum(each.blocks for each in scanned) > _MAX_BLOCKS:
        raise broken("its first scan has more blocks to a unit than decoders take")
    if any(each.quantization not in tables.quantization for each in scanned):
        raise broken("a quantization table is missing")
    if frame.is_progressive:
        _check_progression(segment, count)
    if not frame.is_arithmetic:
        _check_selected(selectors, segment[-3], frame, tables)


def broken(reason: str) -> ImageRejectedError:
    """Return the refusal of a damaged JPEG."""
    return ImageRejectedError("ImageBroken", f"the JPEG is damaged: {reason}")


def _check_progression(segment: bytes, count: int) -> None:
    first, last, (high, low) = segment[-3], segment[-2], divmod(segment[-1], 16)
    band = last == 0 if first == 0 else first <= last <= 63 and count == 1
    if not band or low > 13 or (high and low != high - 1):
        raise broken("its first scan names coefficients that do not exist")


def _check_selected(selectors: bytes, first: int, frame: Frame, tables: Tables) -> None:
    for selector in selectors:
        dc, ac = divmod(selector, 16)
        needed = {dc, 16 + ac} if not frame.is_progressive else {dc} if first == 0 else {16 + ac}
        for table in needed:
            if not tables.huffman.get(table, table & 15 in _STANDARD_TABLES):
                raise broken("a Huffman table is missing or damaged")


def _has_room(counts: bytes) -> bool:
    """Whether so many codes of each length can be told apart (T.81, C.2)."""
    code = 0
    for length, count in enumerate(counts, 1):
        code += count
        # The code of ones alone is left out only where codes end; libjpeg lets it pass.
        if code > 1 << length:
            return False
        code <<= 1
    return True
