"""The part *writing*: rows from the ledger into the result table, against a bare executemany."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Final

from airflow_provider_permitocr.options.run import Batch
from labs.bench.figures import Facts, Figure, Part
from labs.bench.measure import Bench, run_program

_DATABASE: Final = "writing"
_DRIVERS: Final = ("psycopg", "psycopg2")
_WRITE_TIMES_BARE: Final = 1.3
_DELIVERY_TIMES_BARE: Final = 2


@dataclass(frozen=True)
class Written:
    """One driver; medians.

    :param bare_seconds: an upsert by the driver's executemany and a commit for each batch.
    :param write_seconds: DataFrames into the result table.
    :param delivery_seconds: all of a delivery, from the ledger on.
    :param write_times_bare: frames against the driver's executemany, by each repetition.
    :param delivery_times_bare: a delivery against the same, by each repetition.
    """

    driver: str
    rows: int
    bare_seconds: float
    write_seconds: float
    delivery_seconds: float
    write_times_bare: tuple[float, ...] = ()
    delivery_times_bare: tuple[float, ...] = ()


@dataclass(frozen=True)
class Writes:
    """All that was measured about writing."""

    written: tuple[Written, ...]

    def part(self) -> Part:
        """Return the figures and the table."""
        figures = tuple(
            Figure(
                f"{what} against bare executemany, {each.driver}",
                seconds / each.bare_seconds,
                most,
                unit="x",
                repeated=repeated,
            )
            for each in self.written
            for what, seconds, most, repeated in (
                ("writing frames", each.write_seconds, _WRITE_TIMES_BARE, each.write_times_bare),
                (
                    "delivery from the ledger",
                    each.delivery_seconds,
                    _DELIVERY_TIMES_BARE,
                    each.delivery_times_bare,
                ),
            )
        )
        rows = tuple(
            (
                each.driver,
                *(
                    f"{seconds / each.rows * 1e6:.0f} µs"
                    for seconds in (each.bare_seconds, each.write_seconds, each.delivery_seconds)
                ),
            )
            for each in self.written
        )
        header = ("driver", "bare executemany, per row", "frames, per row", "from the ledger, per row")
        title = f"{self.written[0].rows:,} rows into PostgreSQL"
        return Part("writing", figures, (Facts(title, header, rows),))


def measure_writes(bench: Bench) -> Writes:
    """Measure each driver in a separate process, alternating between the ways.

    :raises RuntimeError: a program failed.
    """
    return Writes(tuple(_written(bench, driver) for driver in _DRIVERS))


def _written(bench: Bench, driver: str) -> Written:
    rows, repeats = bench.sizes.written_rows, bench.sizes.repeated_runs
    bench.say(f"{rows:,} rows from the ledger in batches, through {driver}")
    bench.postgres.create_database(_DATABASE, replace=True)
    dsn = bench.postgres.dsn(_DATABASE)
    seen = run_program("write_batches", dsn, driver, str(rows), str(repeats), str(Batch().rows))
    bare, write, deliver = (median(each[way] for each in seen) for way in ("bare", "write", "deliver"))
    times_bare = (tuple(each[way] / each["bare"] for each in seen) for way in ("write", "deliver"))
    return Written(driver, rows, bare, write, deliver, *times_bare)
