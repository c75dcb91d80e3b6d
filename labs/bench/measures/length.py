"""The part *length*: short and long lists, of new rows and of rows that are all done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from labs.bench.figures import Facts, Figure, Part
from labs.bench.measure import Bench, run_program

_DATABASE: Final = "length"
_ELSEWHERE: Final = "lists"
_MORE_MB: Final = 20
_TIMES_BARE_SQL: Final = 1.5
_APART_SECONDS: Final = 20

BARE: Final = "bare"
BESIDE: Final = "beside"
APART: Final = "apart"
SQLITE: Final = "sqlite"
_RUNS: Final = {
    BESIDE: "list and ledger in one database",
    APART: "list and ledger in two databases",
    SQLITE: "list in SQLite, ledger in PostgreSQL",
}


@dataclass(frozen=True)
class ListRun:
    """A list of new rows, with recognition stubbed at the wire.

    :param seconds: of the whole run.
    :param peak_mb: highest memory of the process.
    :param memory_mb: its memory at equal steps of the run.
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
class FinishedRun:
    """Runs over a list whose rows are all done.

    :param seconds: median.
    :param peak_mb: highest memory of a process, over a short list and over the long one.
    :param repeated: seconds of each run.
    """

    seconds: float
    peak_mb: tuple[float, float]
    repeated: tuple[float, ...] = ()


@dataclass(frozen=True)
class Lengths:
    """All measurements of lists.

    :param finished_rows: of the short and the long list whose rows are done.
    :param bare_seconds: median time of the plain SQL that finds nothing to do in the long one.
    :param bare_repeated: the times of the plain SQL.
    :param finished: by the location of the list.
    """

    short: ListRun
    long: ListRun
    finished_rows: tuple[int, int]
    bare_seconds: float
    finished: Mapping[str, FinishedRun]
    bare_repeated: tuple[float, ...] = ()

    def part(self) -> Part:
        """Return the figures and tables."""
        few, many = self.finished_rows
        seconds = {where: run.seconds for where, run in self.finished.items()}
        more = max(run.peak_mb[1] - run.peak_mb[0] for run in self.finished.values())
        figures = (
            Figure(
                f"peak memory, {self.long.rows:,} new rows over {self.short.rows:,}",
                self.long.peak_mb - self.short.peak_mb,
                _MORE_MB,
                unit="MB",
            ),
            Figure(
                f"a run over {many:,} finished rows against the bare anti-join",
                seconds[BESIDE] / self.bare_seconds,
                _TIMES_BARE_SQL,
                unit="x",
                repeated=[
                    run / bare
                    for run, bare in zip(self.finished[BESIDE].repeated, self.bare_repeated, strict=True)
                ],
            ),
            *(
                Figure(
                    f"the same, list in {place}, {many:,} rows",
                    seconds[where],
                    _APART_SECONDS,
                    unit="s",
                    repeated=self.finished[where].repeated,
                )
                for where, place in ((APART, "another database"), (SQLITE, "SQLite"))
            ),
            Figure(f"peak memory, {many:,} finished rows over {few:,}", more, _MORE_MB, unit="MB"),
        )
        new = tuple(
            (f"{run.rows:,}", f"{run.seconds:.1f} s", f"{run.row_us:.0f} µs", f"{run.peak_mb:.0f} MB")
            for run in (self.short, self.long)
        )
        again = (
            ("the bare anti-join", f"{self.bare_seconds:.2f} s", "", ""),
            *(
                (f"a run, {words}", f"{run.seconds:.2f} s", *(f"{peak:.0f} MB" for peak in run.peak_mb))
                for where, words in _RUNS.items()
                for run in (self.finished[where],)
            ),
        )
        title = "New rows, recognition stubbed at the wire"
        memory = tuple(f"peak memory, {rows:,} rows" for rows in self.finished_rows)
        return Part(
            "length",
            figures,
            (
                Facts(title, ("rows", "time", "time per row", "peak memory"), new),
                Facts("Nothing left to do", ("what", f"time, {many:,} rows, median", *memory), again),
            ),
        )


def measure_lengths(bench: Bench) -> Lengths:
    """Run all lists, each run in a separate process.

    :raises RuntimeError: a program failed.
    """
    short, long = (_new_rows(bench, rows) for rows in bench.sizes.rows)
    few, many = bench.sizes.finished_rows
    once, several = _finished_rows(bench, few, 1), _finished_rows(bench, many, bench.sizes.repeated_runs)
    finished = {
        where: FinishedRun(
            median(each["seconds"] for each in several[where]),
            (_peak(once[where]), _peak(several[where])),
            tuple(each["seconds"] for each in several[where]),
        )
        for where in _RUNS
    }
    bare = tuple(each["seconds"] for each in several[BARE])
    return Lengths(short, long, (few, many), median(bare), finished, bare)


def _new_rows(bench: Bench, rows: int) -> ListRun:
    bench.say(f"A list of {rows:,} new rows, recognition stubbed at the wire")
    bench.postgres.create_database(_DATABASE, replace=True)
    seen = run_program("lists.long_list", bench.postgres.dsn(_DATABASE), str(rows))
    return ListRun(rows, seen["seconds"], seen["peak_mb"], seen["memory_mb"])


def _finished_rows(bench: Bench, rows: int, times: int) -> dict[str, list[dict[str, Any]]]:
    """Repeat runs over a list whose rows are all done, alternating between the ways."""
    bench.say(f"A list of {rows:,} rows, all of them done")
    for database in (_DATABASE, _ELSEWHERE):
        bench.postgres.create_database(database, replace=True)
    dsn, elsewhere = bench.postgres.dsn(_DATABASE), bench.postgres.dsn(_ELSEWHERE)
    file = bench.state / f"images-{rows}.db"
    run_program("lists.finish_list", dsn, elsewhere, str(file), str(rows))
    sources = {BARE: BARE, BESIDE: dsn, APART: elsewhere, SQLITE: f"sqlite:///{file}"}
    seen: dict[str, list[dict[str, Any]]] = {way: [] for way in sources}
    for _ in range(times):
        for way, source in sources.items():
            seen[way].append(run_program("lists.finished_list", dsn, source))
    return seen


def _peak(runs: Sequence[Mapping[str, Any]]) -> float:
    return max(float(each["peak_mb"]) for each in runs)
