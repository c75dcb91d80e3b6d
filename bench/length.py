"""The part *length*: a short and a long list, and the long one once more when all of it is done."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from bench.figures import Facts, Figure, Part
from bench.measure import Bench, run_program

_DATABASE: Final = "length"
_MORE_MB: Final = 20
_TIMES_BARE_SQL: Final = 3
_APART_SECONDS: Final = 30


@dataclass(frozen=True)
class ListRun:
    """A list with recognition stubbed at the wire.

    :param seconds: of the whole run.
    :param peak_mb: highest memory of the process.
    :param memory_mb: its memory over idle, at equal steps of the run.
    """

    rows: int
    seconds: float
    peak_mb: float
    memory_mb: list[float]

    @property
    def row_us(self) -> float:
        """Microseconds per row."""
        return self.seconds / self.rows * 1_000_000


@dataclass(frozen=True)
class Lengths:
    """All that was measured about lists.

    :param again_seconds: a run when all rows of the long list are done; median.
    :param bare_seconds: the SQL alone that finds nothing to do; median.
    :param apart_seconds: such a run with list and result on two connections; median.
    :param sqlite_seconds: the same with the list in SQLite; median.
    :param apart_mb: the most memory over idle that any of these took.
    """

    short: ListRun
    long: ListRun
    again_seconds: float
    bare_seconds: float
    apart_seconds: float
    sqlite_seconds: float
    apart_mb: float

    def part(self) -> Part:
        """Return the figures and tables."""
        more = self.long.peak_mb - self.short.peak_mb
        both = f"{self.long.rows:,} rows over {self.short.rows:,}"
        figures = (
            Figure(f"peak memory, {both}", more, _MORE_MB, unit="MB"),
            Figure(
                f"a run over {self.long.rows:,} finished rows against bare SQL",
                self.again_seconds / self.bare_seconds,
                _TIMES_BARE_SQL,
                unit="x",
            ),
            Figure(
                f"the same, list and result apart, {self.long.rows:,} rows",
                self.apart_seconds,
                _APART_SECONDS,
                unit="s",
            ),
            Figure(
                f"the same, list in SQLite, {self.long.rows:,} rows",
                self.sqlite_seconds,
                _APART_SECONDS,
                unit="s",
            ),
            Figure("memory over idle of runs over finished rows apart", self.apart_mb, _MORE_MB, unit="MB"),
        )
        rows = tuple(
            (f"{run.rows:,}", f"{run.seconds:.1f} s", f"{run.row_us:.0f} µs", f"{run.peak_mb:.0f} MB")
            for run in (self.short, self.long)
        )
        again = (
            ("the operator's run", f"{self.again_seconds:.2f} s"),
            ("SELECT count(*) … WHERE NOT EXISTS …", f"{self.bare_seconds:.2f} s"),
            ("list and result on two connections", f"{self.apart_seconds:.1f} s"),
            ("list in SQLite, result in PostgreSQL", f"{self.sqlite_seconds:.1f} s"),
        )
        return Part(
            "length",
            figures,
            (
                Facts(
                    "Lists of two lengths, recognition stubbed at the wire",
                    ("rows", "time", "time per row", "peak memory"),
                    rows,
                ),
                Facts(f"Nothing left to do in {self.long.rows:,} rows", ("what", "time, median"), again),
            ),
        )


def measure_lengths(bench: Bench) -> Lengths:
    """Run both lists, each in a process of its own, and the long one again.

    :raises RuntimeError: a program failed.
    """
    short, long = (_list_run(bench, rows) for rows in bench.sizes.rows)
    bench.say("The same list again, all of it done")
    rounds: list[dict[str, Any]] = run_program(
        "finished_list", bench.postgres.dsn(_DATABASE), str(bench.sizes.repeated_runs)
    )
    return Lengths(
        short,
        long,
        again_seconds=median(each["again"] for each in rounds),
        bare_seconds=median(each["bare"] for each in rounds),
        apart_seconds=median(each["apart"]["seconds"] for each in rounds),
        sqlite_seconds=median(each["sqlite"]["seconds"] for each in rounds),
        apart_mb=max(each[of]["over_idle_mb"] for each in rounds for of in ("apart", "sqlite")),
    )


def _list_run(bench: Bench, rows: int) -> ListRun:
    bench.say(f"A list of {rows:,} rows, recognition stubbed at the wire")
    bench.postgres.create_database(_DATABASE, anew=True)
    seen = run_program("long_list", bench.postgres.dsn(_DATABASE), str(rows))
    return ListRun(rows, seen["seconds"], seen["peak_mb"], seen["memory_mb"])
