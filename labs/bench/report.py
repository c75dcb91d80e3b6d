"""The report: a table in the terminal, and ``docs/benchmarks`` with charts and words."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from labs.bench.charts import draw_clients, draw_lengths, draw_rates, draw_ways
from labs.bench.emulators import LATENCY
from labs.bench.figures import Facts, Figure, Part
from labs.bench.measure import Sizes
from labs.bench.measures.client import Clients
from labs.bench.measures.exchange import Exchanges
from labs.bench.measures.length import Lengths
from labs.bench.measures.quota import Rates
from labs.bench.measures.start import Starts
from labs.bench.measures.targets import Targets
from labs.bench.measures.writing import Writes
from labs.bench.programs.lists.finished_list import NOTHING_TO_DO

_PAGE: Final = Path(__file__).with_name("page.md")
_VERSIONS: Final = ("apache-airflow", "tencentcloud-sdk-python-ocr", "sqlalchemy", "pandas")


@dataclass(frozen=True)
class Results:
    """All parts of a whole run."""

    rates: Rates
    clients: Clients
    exchanges: Exchanges
    lengths: Lengths
    writes: Writes
    targets: Targets
    starts: Starts


def show(parts: Iterable[Part], console: Console) -> None:
    """Print the figures beside their targets, then all else that was seen."""
    parts = list(parts)
    table = Table("figure", "measured", "to reach", "", "spread", title="Figures", title_justify="left")
    for figure in (figure for part in parts for figure in part.figures):
        verdict = "[green]reached[/green]" if figure.reached else "[bold red]missed[/bold red]"
        table.add_row(figure.name, figure.measured, figure.to_reach, verdict, figure.spread)
    console.print(table)
    for facts in (facts for part in parts for facts in part.facts):
        more = Table(*facts.header, title=facts.title, title_justify="left")
        for row in facts.rows:
            more.add_row(*row)
        console.print(more)


def write(results: Results, parts: Sequence[Part], sizes: Sizes, now: datetime, directory: Path) -> None:
    """Write the page and its charts.

    :param parts: quota, client, exchange, length, writing, targets, start, in this order.
    :param directory: made if missing.
    """
    directory.mkdir(parents=True, exist_ok=True)
    draw_rates(results.rates, directory / "quota.png")
    draw_ways(results.rates, directory / "instead.png")
    draw_clients(results.clients, directory / "client.png")
    draw_lengths(results.lengths, directory / "length.png")
    (directory / "README.md").write_text(_page(parts, sizes, now), "utf-8")


def _page(parts: Sequence[Part], sizes: Sizes, now: datetime) -> str:
    quota, client, exchange, length, writing, targets, start = parts
    figures = [figure for part in parts for figure in part.figures]
    return _PAGE.read_text("utf-8").format(
        date=f"{now:%Y-%m-%d}",
        minutes=sum(part.seconds for part in parts) / 60,
        machine=machine(),
        figures=_figures_table(figures),
        verdict=_verdict([figure for figure in figures if not figure.reached]),
        latency=LATENCY,
        images=sizes.images,
        quota=_table(quota.facts[0]),
        loop_seconds=sizes.loop_seconds,
        per_image_seconds=sizes.per_image_seconds,
        instead=_table(quota.facts[1]),
        cpu=_table(client.facts[0]),
        speed=_table(client.facts[1]),
        ledger_rows=sizes.ledger_rows,
        exchange=_table(exchange.facts[0]),
        length=_table(length.facts[0]),
        repeated_runs=sizes.repeated_runs,
        again=_table(length.facts[1]),
        nothing_to_do=NOTHING_TO_DO.strip(),
        written_rows=sizes.written_rows,
        writing=_table(writing.facts[0]),
        targets=_table(targets.facts[0]),
        refused_rows=sizes.refused_rows,
        refused=_table(targets.facts[1]),
        starts=sizes.starts,
        start=_table(start.facts[0]),
    )


def machine() -> str:
    """Describe the machine in one line, without its name."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _VERSIONS)
    system = f"{platform.system()} on {platform.machine()}"
    return f"{os.cpu_count()} cores, {system}, Python {platform.python_version()}, {versions}"


def _verdict(missed: list[Figure]) -> str:
    if not missed:
        return "All figures are reached."
    return "\n".join(f"Missed: {figure.name}, {figure.measured} ({figure.to_reach})." for figure in missed)


def _figures_table(figures: Iterable[Figure]) -> str:
    rows = tuple(
        (
            figure.name,
            f"**{figure.measured}**",
            figure.to_reach,
            "reached" if figure.reached else "**missed**",
            figure.spread,
        )
        for figure in figures
    )
    return _table(Facts("", ("figure", "measured", "to reach", "", "spread"), rows))


def _table(facts: Facts) -> str:
    lines = [facts.header, tuple("---" for _ in facts.header), *facts.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
