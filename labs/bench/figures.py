"""The figures to show, and whether they reach what was set out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A measured number beside its target.

    :param name: what was measured.
    :param value: the number.
    :param target: the number to reach.
    :param at_least: whether the target is a lower bound; otherwise it is an upper bound.
    :param unit: shown after both numbers.
    :param digits: shown after the decimal point.
    :param must: whether missing the target means that something is broken, not just slow.
    :param repeated: the number of each repetition; empty if measured once.
    """

    name: str
    value: float
    target: float
    at_least: bool = False
    unit: str = ""
    digits: int = 2
    must: bool = False
    repeated: Sequence[float] = ()

    @property
    def reached(self) -> bool:
        """Whether the number is as good as its target."""
        return self.value >= self.target if self.at_least else self.value <= self.target

    @property
    def measured(self) -> str:
        """The number as shown."""
        return self._shown(self.value)

    @property
    def to_reach(self) -> str:
        """The target as shown."""
        return f"{'≥' if self.at_least else '≤'} {self._shown(self.target)}"

    @property
    def spread(self) -> str:
        """The lowest and the highest number of the repetitions; empty if there is only one."""
        if len(self.repeated) < 2:
            return ""
        return f"{min(self.repeated):,.{self.digits}f} to {self._shown(max(self.repeated))}"

    def _shown(self, number: float) -> str:
        return f"{number:,.{self.digits}f}{' ' if self.unit else ''}{self.unit}"


@dataclass(frozen=True)
class Facts:
    """A table of further numbers that have no target.

    :param title: what they are about.
    :param header: names of the columns.
    :param rows: the cells, as shown.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Part:
    """What one part of the benchmark found.

    :param name: as ``--only`` wants it.
    :param seconds: how long it took.
    """

    name: str
    figures: tuple[Figure, ...]
    facts: tuple[Facts, ...]
    seconds: float = 0.0
