"""The part *targets*: tables that are rebuilt or erased, a file on S3, and rows that a table refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from labs.bench.figures import Facts, Figure, Part
from labs.bench.measure import Bench, run_program

_DATABASE: Final = "targets"
_REBUILD_SECONDS: Final = 30
_REBUILD_MORE_MB: Final = 20
_ERASE_SECONDS: Final = 300
_FILE_MORE_MB: Final = 50
_STATEMENTS: Final = 200

#: As the program ``refused_rows`` knows them.
CASES: Final = {
    "none": "all of them still refused",
    "second": "fixed for every second row",
    "all": "fixed for all",
}


@dataclass(frozen=True)
class Took:
    """How long something took.

    :param cpu_seconds: of this process only.
    """

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class RebuiltTable:
    """A ledger's answers, written again into an empty result table and into one that has them all.

    :param calls: that both made.
    :param peak_mb: highest memory of the process.
    """

    rows: int
    empty: Took
    full: Took
    calls: int
    peak_mb: float


@dataclass(frozen=True)
class ErasedRows:
    """Every image of a list, erased by its key from a ledger and a result table.

    :param found_before, found: tables that contain something from the answers.
    :param peak_mb: highest memory of the process.
    """

    rows: int
    took: Took
    found_before: int
    found: int
    peak_mb: float


@dataclass(frozen=True)
class WrittenFile:
    """A ledger's answers in one Parquet file on S3.

    :param peak_mb: highest memory of the process.
    :param objects: in the bucket afterwards, unfinished ones included.
    :param right: rows that could be read back, in the list's order.
    """

    rows: int
    took: Took
    peak_mb: float
    objects: int
    size: int
    right: int


@dataclass(frozen=True)
class RefusedRun:
    """A run with nothing to do, over a table that has refused rows.

    :param delivered: of the refused rows.
    """

    statements: int
    delivered: int


@dataclass(frozen=True)
class Targets:
    """All measurements of targets.

    :param rebuilt: a small and a large number of rows.
    :param erased: rows that were erased.
    :param written: rows that were written.
    :param refused_rows: rows that the table has refused.
    :param statements: of the same run without refused rows.
    :param refused: by the changed CHECK of the table.
    """

    rebuilt: tuple[RebuiltTable, RebuiltTable]
    erased: ErasedRows
    written: tuple[WrittenFile, WrittenFile]
    refused_rows: int
    statements: int
    refused: Mapping[str, RefusedRun]

    def part(self) -> Part:
        """Return the figures and tables."""
        figures = (
            *self._of_rebuilding(),
            *self._of_erasing(),
            *self._of_the_file(),
            *self._of_refused_rows(),
        )
        return Part("targets", figures, (self._times(), self._statements()))

    def _of_rebuilding(self) -> tuple[Figure, ...]:
        few, many = self.rebuilt
        return (
            *(
                Figure(
                    f"rebuild of {many.rows:,} rows into {table} table",
                    took.seconds,
                    _REBUILD_SECONDS,
                    unit="s",
                )
                for table, took in (("an empty", many.empty), ("a full", many.full))
            ),
            Figure("rebuild: calls", few.calls + many.calls, 0, digits=0, must=True),
            Figure(
                f"peak memory, rebuild of {many.rows:,} rows over {few.rows:,}",
                many.peak_mb - few.peak_mb,
                _REBUILD_MORE_MB,
                unit="MB",
            ),
        )

    def _of_erasing(self) -> tuple[Figure, ...]:
        erased = self.erased
        named = f"erasing {erased.rows:,} rows by key"
        return (
            Figure(named, erased.took.seconds, _ERASE_SECONDS, unit="s"),
            Figure(f"{named}: tables that still hold people", erased.found, 0, digits=0, must=True),
        )

    def _of_the_file(self) -> tuple[Figure, ...]:
        few, many = self.written
        named = f"{many.rows:,} rows in one Parquet file on S3"
        return (
            Figure(f"{named}: objects", many.objects, 1, digits=0, must=True),
            Figure(f"{named}: rows lost", many.rows - many.right, 0, digits=0, must=True),
            Figure(
                f"peak memory, a file of {many.rows:,} rows over {few.rows:,}",
                many.peak_mb - few.peak_mb,
                _FILE_MORE_MB,
                unit="MB",
            ),
        )

    def _of_refused_rows(self) -> tuple[Figure, ...]:
        return tuple(
            Figure(
                f"statements that {self.refused_rows:,} refused rows add to a run, {CASES[case]}",
                run.statements - self.statements,
                _STATEMENTS,
                digits=0,
            )
            for case, run in self.refused.items()
        )

    def _times(self) -> Facts:
        tables = [
            (f"{each.rows:,} rows into {table} table", took, each.rows, each.peak_mb)
            for each in self.rebuilt
            for table, took in (("an empty", each.empty), ("a full", each.full))
        ]
        erased = self.erased
        tables.append((f"{erased.rows:,} rows erased by key", erased.took, erased.rows, erased.peak_mb))
        files = [
            (f"{each.rows:,} rows into a file, {each.size / 1e6:.0f} MB", each.took, each.rows, each.peak_mb)
            for each in self.written
        ]
        rows = tuple(
            (
                what,
                f"{took.seconds:.1f} s",
                f"{took.seconds / rows * 1e6:.0f} µs",
                f"{took.cpu_seconds / rows * 1e6:.0f} µs",
                f"{peak_mb:.0f} MB",
            )
            for what, took, rows, peak_mb in (*tables, *files)
        )
        header = ("what", "time", "time per row", "CPU per row", "peak memory")
        return Facts("Targets, filled from the ledger", header, rows)

    def _statements(self) -> Facts:
        runs = {"none are refused": RefusedRun(self.statements, 0)} | {
            CASES[case]: run for case, run in self.refused.items()
        }
        rows = tuple((what, f"{run.statements:,}", f"{run.delivered:,}") for what, run in runs.items())
        title = f"A run with only {self.refused_rows:,} refused rows to handle"
        return Facts(title, ("the table's CHECK", "statements", "rows delivered"), rows)


def measure_targets(bench: Bench) -> Targets:
    """Measure each in a separate process.

    :raises RuntimeError: a program failed.
    """
    few, many = bench.sizes.rebuilt_rows
    rebuilt = _rebuilt(bench, few), _rebuilt(bench, many)
    erased = _erased(bench, bench.sizes.erased_rows)
    few, many = bench.sizes.file_rows
    written = _written(bench, few), _written(bench, many)
    refused = bench.sizes.refused_rows
    bench.say(f"Runs with only {refused:,} refused rows to handle")
    seen = _run(bench, "lists.refused_rows", refused)
    runs = {case: RefusedRun(**run) for case, run in seen["cases"].items()}
    return Targets(rebuilt, erased, written, refused, seen["without"], runs)


def _rebuilt(bench: Bench, rows: int) -> RebuiltTable:
    bench.say(f"Rebuild of {rows:,} rows, into an empty table and into a full one")
    seen = _run(bench, "lists.rebuild_table", rows)
    return RebuiltTable(rows, Took(**seen["empty"]), Took(**seen["full"]), seen["calls"], seen["peak_mb"])


def _erased(bench: Bench, rows: int) -> ErasedRows:
    bench.say(f"{rows:,} rows erased by key, from ledger and table")
    seen = _run(bench, "lists.erase_rows", rows)
    if not seen["found_before"]:
        raise RuntimeError("no person was found before the erasure, so the search proves nothing")
    took = Took(seen["seconds"], seen["cpu_seconds"])
    return ErasedRows(rows, took, seen["found_before"], seen["found"], seen["peak_mb"])


def _written(bench: Bench, rows: int) -> WrittenFile:
    bench.say(f"{rows:,} rows into one Parquet file on S3")
    seen = _run(bench, "write_object", rows)
    took = Took(seen["seconds"], seen["cpu_seconds"])
    return WrittenFile(rows, took, seen["peak_mb"], seen["objects"], seen["bytes"], seen["right"])


def _run(bench: Bench, program: str, rows: int) -> Any:
    bench.postgres.create_database(_DATABASE, replace=True)
    return run_program(program, bench.postgres.dsn(_DATABASE), str(rows))
