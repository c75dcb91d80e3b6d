"""A proof's measurements beside the promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """A measured figure.

    :param promised: what it should be, for reading.
    :param kept: whether it is.
    """

    name: str
    measured: str
    promised: str
    kept: bool


def show(figures: Sequence[Figure], defects: Sequence[str], console: Console) -> None:
    """Print the figures, and what is wrong with the tables."""
    table = Table("", "figure", "measured", "promised", box=None, pad_edge=False)
    for figure in figures:
        mark = "[green]✓[/green]" if figure.kept else "[bold red]✗[/bold red]"
        table.add_row(mark, figure.name, figure.measured, figure.promised)
    console.print(table, highlight=False)
    for defect in defects:
        console.print(f"  {defect}", markup=False, highlight=False)
