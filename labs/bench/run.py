"""The benchmark from its first process to its last line."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from labs.bench.figures import Part
from labs.bench.measure import SHORT, Bench, Sizes
from labs.bench.measures.client import Clients, measure_clients
from labs.bench.measures.exchange import Exchanges, measure_exchanges
from labs.bench.measures.length import Lengths, measure_lengths
from labs.bench.measures.quota import Rates, measure_rates
from labs.bench.measures.start import Starts, measure_starts
from labs.bench.measures.targets import Targets, measure_targets
from labs.bench.measures.writing import Writes, measure_writes
from labs.bench.report import Results, show, write
from labs.ground.command import ROOT
from labs.ground.phases import phase
from labs.ground.servers.postgres import EmbeddedPostgres

_Measured = Rates | Clients | Exchanges | Lengths | Writes | Targets | Starts
#: In the order of the report.
PARTS: Final[dict[str, Callable[[Bench], _Measured]]] = {
    "quota": measure_rates,
    "client": measure_clients,
    "exchange": measure_exchanges,
    "length": measure_lengths,
    "writing": measure_writes,
    "targets": measure_targets,
    "start": measure_starts,
}


@dataclass(frozen=True)
class BenchOptions:
    """What to measure, and where to write.

    :param only: names of parts.
    :param short: small sizes, for a trial.
    :param new_rows: length of the long list of new rows; None: from the size.
    :param state: working directory; emptied first.
    :param report: directory for the page and its charts, which only a run of all parts writes.
    :raises ValueError: there is no such part.
    """

    only: tuple[str, ...]
    short: bool
    new_rows: int | None
    state: Path
    report: Path

    def __post_init__(self) -> None:
        if unknown := set(self.only) - set(PARTS):
            raise ValueError(f"there is no part {unknown.pop()!r}; the parts are {', '.join(PARTS)}")

    @property
    def sizes(self) -> Sizes:
        """How much is measured."""
        sizes = SHORT if self.short else Sizes()
        return replace(sizes, rows=(sizes.rows[0], self.new_rows)) if self.new_rows else sizes


class ImagesLostError(RuntimeError):
    """Something is not slow, but broken."""


def run_benchmark(options: BenchOptions, console: Console) -> None:
    """Measure, print, and write the page.

    :raises ImagesLostError: images that were listed have no right row.
    :raises RuntimeError: something could not be started, or failed; the message gives the reason.
    """
    shutil.rmtree(options.state, ignore_errors=True)
    options.state.mkdir(parents=True)
    os.environ["PYTHONPATH"] = str(ROOT)  # the DAG files import this package
    measured: dict[str, _Measured] = {}
    parts: dict[str, Part] = {}
    with EmbeddedPostgres(options.state / "postgres") as postgres:
        bench = Bench(options.state, options.sizes, postgres, console)
        for name in options.only or tuple(PARTS):
            with phase(None, f"Measured: {name}", console):
                began = time.monotonic()
                measured[name] = PARTS[name](bench)
                parts[name] = replace(measured[name].part(), seconds=time.monotonic() - began)
    show(parts.values(), console)
    match [measured.get(name) for name in PARTS]:
        case [
            Rates() as rates,
            Clients() as clients,
            Exchanges() as exchanges,
            Lengths() as lengths,
            Writes() as writes,
            Targets() as targets,
            Starts() as starts,
        ]:
            in_order = [parts[name] for name in PARTS]
            write(
                Results(rates, clients, exchanges, lengths, writes, targets, starts),
                in_order,
                bench.sizes,
                datetime.now(UTC),
                options.report,
            )
            console.print(f"Written: {options.report}", highlight=False, soft_wrap=True)
    figures = [figure for part in parts.values() for figure in part.figures]
    broken = [figure.name for figure in figures if figure.must and not figure.reached]
    if broken:
        raise ImagesLostError(f"Broken: {', '.join(broken)}.")
