"""One list over several tasks: each image is in exactly one shard."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Self

_FORM = re.compile(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*")


@dataclass(frozen=True)
class Shard:
    """One of several equal parts of an image list.

    :param number: which part, from 1.
    :param of: how many there are.
    :raises ValueError: when there is no such part.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ValueError(
                f"there is no shard {self.number}/{self.of}: the first number counts from 1 up to the second,"
                " which is the number of shards; shards(4) makes the four of a list"
            )

    @classmethod
    def parse(cls, text: str | Shard) -> Self:
        """Read ``2/4``.

        :raises ValueError: for any other form, and for a shard that does not exist.
        """
        match = _FORM.fullmatch(str(text))
        if match is None:
            raise ValueError(f"a shard is written as number/of, such as 2/4, not {text!r}")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def in_a_path(self) -> str:
        """Its name in file names, without a slash, such as ``2-of-4``."""
        return f"{self.number}-of-{self.of}"

    @property
    def phase(self) -> float:
        """The shard's offset between two turns, from 0 to 1, so that all shards together are evenly paced."""
        return (self.number - 1) / self.of

    def holds(self, image_key: str) -> bool:
        """Return whether an image is in this shard.

        It depends only on the key's text, so it is the same in every database, Python and run; both sides
        of a document are in one shard.
        """
        digest = blake2b(image_key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest) % self.of == self.number - 1


def shards(number: int) -> list[str]:
    """Return the shards of a list, to map an operator over: ``.expand(shard=shards(4))``.

    :param number: how many.
    :raises ValueError: when that is below 1.
    """
    if number < 1:
        raise ValueError(f"a list has at least 1 shard, not {number!r}")
    return [str(Shard(each, number)) for each in range(1, number + 1)]
