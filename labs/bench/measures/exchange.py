"""The part *exchange*: what an exchange with the ledger takes, full or empty."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

from labs.bench.figures import Facts, Figure, Part
from labs.bench.measure import Bench, run_program

_DATABASE: Final = "exchange"
_TIMES_EMPTY: Final = 1.2
#: Their medians show how far the figure moves within a run.
_SPANS: Final = 5


@dataclass(frozen=True)
class Exchanges:
    """Exchanges of five intents and five answers, in seconds.

    :param rows: calls, answers and images in the full ledger.
    """

    rows: int
    full: list[float]
    empty: list[float]

    def part(self) -> Part:
        """Return the figure and its table."""
        ratio = Figure(
            f"exchange with {self.rows:,} calls in the ledger against an empty one",
            median(self.full) / median(self.empty),
            _TIMES_EMPTY,
            unit="x",
            repeated=[
                median(full) / median(empty)
                for full, empty in zip(_spans(self.full), _spans(self.empty), strict=True)
            ],
        )
        rows = tuple(
            (name, f"{1000 * median(seconds):.2f} ms", f"{1000 * quantiles(seconds, n=20)[-1]:.2f} ms")
            for name, seconds in ((f"{self.rows:,} calls", self.full), ("empty", self.empty))
        )
        title = f"{len(self.full):,} exchanges of 5 intents and 5 answers"
        return Part("exchange", (ratio,), (Facts(title, ("ledger", "median", "95 of 100 within"), rows),))


def _spans(seconds: list[float]) -> list[list[float]]:
    size = len(seconds) // _SPANS
    return [seconds[at : at + size] for at in range(0, size * _SPANS, size)] if size else []


def measure_exchanges(bench: Bench) -> Exchanges:
    """Fill a ledger, and exchange with it and with an empty one in turn.

    :raises RuntimeError: the program failed.
    """
    sizes = bench.sizes
    bench.say(f"Exchanges with a ledger of {sizes.ledger_rows:,} calls, and with an empty one")
    bench.postgres.create_database(_DATABASE, replace=True)
    dsn = bench.postgres.dsn(_DATABASE)
    seen = run_program("lists.exchanges", dsn, str(sizes.ledger_rows), str(sizes.exchanges))
    return Exchanges(sizes.ledger_rows, seen["full"], seen["empty"])
