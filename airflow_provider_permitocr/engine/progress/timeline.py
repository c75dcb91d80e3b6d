"""A run's course over time, in a bounded number of points."""

from __future__ import annotations

from typing import Final, NamedTuple

#: Twice the number of distinguishable steps in a chart on a phone's screen.
_MOST_POINTS: Final = 120


class Point(NamedTuple):
    """Counts at a moment; those that only grow make rates of any two points."""

    seconds: float
    done: int
    calls: int
    throttled: int
    in_flight: int


class Timeline:
    """Keeps points of a run, evenly thinned: once there are too many, every second one is dropped.

    The last point is always the newest.
    """

    def __init__(self, most: int = _MOST_POINTS) -> None:
        self._most = most
        self._kept: list[Point] = []
        self._newest: Point | None = None
        self._seen, self._every = 0, 1

    def add(self, point: Point) -> None:
        """Add the newest point."""
        self._newest = point
        if self._seen % self._every == 0:
            self._kept.append(point)
        self._seen += 1
        if len(self._kept) > self._most:
            self._kept = self._kept[::2]
            self._every *= 2

    @property
    def points(self) -> list[Point]:
        """All that are kept, the oldest first."""
        newest = [] if self._newest is None or self._newest in self._kept[-1:] else [self._newest]
        return self._kept + newest

    def columns(self) -> dict[str, list[float]]:
        """Return the points by quantity, which takes a third of the space."""
        points = self.points
        return {
            name: [round(point[number], 1) for point in points] for number, name in enumerate(Point._fields)
        }
