"""The part *writing*: prepared records into the result table, against a bare executemany of the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Final

from airflow_provider_permitocr.core.options import Batch
from bench.figures import Facts, Figure, Part
from bench.measure import Bench, run_program

_DATABASE: Final = "writing"
_DRIVERS: Final = ("psycopg", "psycopg2")
_BATCHES: Final = (Batch().rows, 1_000)
_TIMES_BARE: Final = 2


@dataclass(frozen=True)
class Written:
    """One driver with batches of one size; medians.

    :param bare_seconds: an INSERT by the driver's executemany and a commit for each batch.
    :param seconds: through a DataFrame into the result table.
    """

    driver: str
    batch: int
    rows: int
    bare_seconds: float
    seconds: float


@dataclass(frozen=True)
class Writes:
    """All that was measured about writing."""

    written: tuple[Written, ...]

    def part(self) -> Part:
        """Return the figures and the table."""
        figures = tuple(
            Figure(
                f"writing in batches of {each.batch:,} against bare executemany, {each.driver}",
                each.seconds / each.bare_seconds,
                _TIMES_BARE,
                unit="x",
            )
            for each in self.written
        )
        rows = tuple(
            (
                each.driver,
                f"{each.batch:,}",
                f"{each.bare_seconds / each.rows * 1e6:.0f} µs",
                f"{each.seconds / each.rows * 1e6:.0f} µs",
            )
            for each in self.written
        )
        header = ("driver", "rows in a batch", "bare executemany, per row", "result table, per row")
        title = f"{self.written[0].rows:,} records into PostgreSQL"
        return Part("writing", figures, (Facts(title, header, rows),))


def measure_writes(bench: Bench) -> Writes:
    """Measure each driver in a process of its own, both ways and both sizes of batches in turn.

    :raises RuntimeError: a program failed.
    """
    written = []
    for driver in _DRIVERS:
        bench.say(f"{bench.sizes.written_rows:,} records in batches, through {driver}")
        bench.postgres.create_database(_DATABASE, anew=True)
        seen = run_program(
            "write_batches",
            bench.postgres.dsn(_DATABASE),
            driver,
            *map(str, (bench.sizes.written_rows, bench.sizes.repeated_runs, *_BATCHES)),
        )
        for batch in _BATCHES:
            both = [each for each in seen if each["batch"] == batch]
            bare, ours = (median(each[way] for each in both) for way in ("bare", "write"))
            written.append(Written(driver, batch, bench.sizes.written_rows, bare, ours))
    return Writes(tuple(written))
