"""How long the emulated service takes: a fixed time or a seeded distribution."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

Sampler = Callable[[], float]

_PARAMETERS: Final = {
    "constant": ("seconds",),
    "uniform": ("low", "high"),
    "lognormal": ("median", "sigma", "max"),
}


@dataclass(frozen=True)
class Latency:
    """A distribution of seconds between the arrival of a call and its answer, at least.

    :param kind: ``constant``, ``uniform`` or ``lognormal``.
    :param values: its parameters: seconds; low and high; or median, sigma (of the logarithm) and
        the longest time.
    :raises ValueError: on an unknown kind, a wrong number of values or values out of order.
    """

    kind: str = "constant"
    values: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        names = _PARAMETERS.get(self.kind)
        if names is None:
            raise ValueError(f"latency {self.kind!r} is not one of {', '.join(_PARAMETERS)}")
        if len(self.values) != len(names):
            raise ValueError(f"latency {self.kind} takes {':'.join(names)}, got {len(self.values)} values")
        if not all(math.isfinite(value) and value >= 0 for value in self.values):
            raise ValueError("latency takes finite numbers of seconds, zero or more")
        if self.kind == "uniform" and self.values[0] > self.values[1]:
            raise ValueError("latency uniform takes low:high, with low not above high")
        if self.kind == "lognormal" and not 0 < self.values[0] <= self.values[2]:
            raise ValueError("latency lognormal takes median:sigma:max, with 0 < median <= max")

    @classmethod
    def parse(cls, text: str) -> Latency:
        """Read ``0.4``, ``uniform:0.2:0.6`` or ``lognormal:0.4:0.5:3``.

        :raises ValueError: naming what is wrong with `text`.
        """
        kind, _, rest = text.rpartition(":") if text.count(":") == 0 else text.partition(":")
        try:
            values = tuple(float(value) for value in rest.split(":"))
        except ValueError:
            raise ValueError(
                f"latency {text!r}: give seconds, uniform:LOW:HIGH or lognormal:MEDIAN:SIGMA:MAX"
            ) from None
        return cls(kind or "constant", values)

    def sampler(self, seed: int) -> Sampler:
        """Return a function that draws one latency in seconds; equal seeds draw equal series."""
        generator = random.Random(seed)  # noqa: S311 - no secret comes of it
        if self.kind == "uniform":
            low, high = self.values
            return lambda: generator.uniform(low, high)
        if self.kind == "lognormal":
            median, sigma, longest = self.values
            return lambda: min(longest, generator.lognormvariate(math.log(median), sigma))
        return lambda: self.values[0]
