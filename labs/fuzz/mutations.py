"""Bytes that are nearly right."""

from __future__ import annotations

from random import Random
from typing import Final

#: Where formats keep lengths, counts and offsets, these break them.
_EXTREMES: Final = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\x00" * 4,
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\xff" * 8,
)


def mutated(data: bytes, drawing: Random, others: tuple[bytes, ...] = ()) -> bytes:
    """Return bytes that were changed once to eight times.

    :param others: what pieces are taken from; by default the bytes themselves.
    """
    out = bytearray(data)
    for _ in range(drawing.choice((1, 1, 1, 2, 3, 8))):
        place = drawing.randrange(len(out) + 1)
        match drawing.randrange(7):
            case 0 if out:
                out[place - 1] ^= 1 << drawing.randrange(8)
            case 1:
                extreme = drawing.choice(_EXTREMES)
                out[place : place + len(extreme)] = extreme
            case 2:
                del out[place:]
            case 3:
                del out[place : place + drawing.randrange(1, 64)]
            case 4:
                out[place:place] = drawing.randbytes(drawing.randrange(1, 64))
            case 5:
                other = drawing.choice(others or (data,))
                start = drawing.randrange(len(other) + 1)
                out[place:place] = other[start : start + drawing.randrange(1, 2000)]
            case 6:
                out[place:place] = bytes(out[place : place + drawing.randrange(1, 64)]) * drawing.randrange(
                    2, 50
                )
    return bytes(out)
