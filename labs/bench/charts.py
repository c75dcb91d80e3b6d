"""Charts of what was measured, as PNG files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from labs.bench.measures.client import CLIENTS, Clients, named
from labs.bench.measures.journal import by_second, images_per_second
from labs.bench.measures.length import Lengths
from labs.bench.measures.quota import Rates
from labs.ground.servers.emulator_service import QUOTA

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe and Ito's colors, which color-blind people can distinguish, too.
_BLUE: Final = "#0072B2"
_ORANGE: Final = "#E69F00"
_RED: Final = "#D55E00"
_GREY: Final = "#7F7F7F"
_OURS: Final = "this provider,\none task"
_OTHERS: Final = ("loop over\nthe SDK", "32 threads\naround the SDK", "one mapped task\nper image")
_DPI: Final = 130


def draw_rates(rates: Rates, file: Path) -> None:
    """Draw the answered calls of each second, a panel for each case."""
    with _figure(file, rows=2, columns=2, size=(9, 5), share=True) as (_, panels):
        for axes, run in zip(panels, rates.runs, strict=True):
            start = run.calls[0].arrived
            counts = by_second(run.calls, start)[:-1]  # the last second is incomplete
            axes.step(range(len(counts)), counts, where="post", color=_BLUE, linewidth=1)
            axes.axhline(run.available, color=_RED, linewidth=1, linestyle="--")
            line = f"quota: {QUOTA}" if run.available == QUOTA else f"left of the quota: {run.available}"
            axes.annotate(line, (0.99, 0.9), xycoords="axes fraction", color=_RED, fontsize=8, ha="right")
            steady = run.steady.start - start, run.steady.end - start
            axes.axvspan(*steady, color=_BLUE, alpha=0.07, linewidth=0)
            axes.set_title(f"{run.title}: {run.rate:.2f}/s", fontsize=10, loc="left")
            axes.set_ylim(0, 25)
            axes.set_xlim(0)
        for axes in panels[2:]:
            axes.set_xlabel("seconds since the first call (shaded: steady part)")
        for axes in panels[::2]:
            axes.set_ylabel("answered calls per second")


def draw_ways(rates: Rates, file: Path) -> None:
    """Draw how fast each way gets rows, and how many it loses."""
    ours = rates.runs[0]
    names = [_OURS, *_OTHERS]
    ways = [(ours.calls, ours.right, ours.listed), *((o.calls, o.right, o.listed) for o in rates.others)]
    speeds = [images_per_second(calls) for calls, _, _ in ways]
    lost = [100 * (1 - right / listed) if listed else 0.0 for _, right, listed in ways]
    labels = [f"{speed:.1f} ({right:,} rows)" for speed, (_, right, _) in zip(speeds, ways, strict=True)]
    with _figure(file, rows=1, columns=2, size=(9, 3.4)) as (_, (left, right)):
        for axes, values, texts in (
            (left, speeds, labels),
            (right, lost, [f"{share:.0f} %" for share in lost]),
        ):
            bars = axes.barh(names, values, color=[_BLUE, _GREY, _GREY, _GREY])
            for label in axes.bar_label(bars, texts, padding=3, fontsize=9):
                label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
            axes.invert_yaxis()
        left.axvline(QUOTA, color=_RED, linewidth=1, linestyle="--", zorder=0)
        left.annotate("quota", (QUOTA, -0.6), color=_RED, fontsize=8, ha="center", annotation_clip=False)
        left.set_xlim(0, 1.4 * max(speeds))
        left.set_xlabel("images recognized per second")
        right.set_xlabel("listed images lost, %")
        right.set_yticklabels([])
        right.set_xlim(0, 110)


def draw_clients(clients: Clients, file: Path) -> None:
    """Draw the CPU per image of each client, a panel for each size, as the sizes are far apart."""
    sizes = clients.sizes
    with _figure(file, rows=1, columns=len(sizes), size=(9, 2.9)) as (_, panels):
        for axes, size in zip(panels, sizes, strict=True):
            values = [clients.cost(client, size).cpu_ms for client in CLIENTS.values()]
            bars = axes.barh(list(CLIENTS.values()), values, color=[_BLUE, _GREY, _GREY, "#BFBFBF"])
            axes.bar_label(bars, [f"{value:.3g}" for value in values], padding=3, fontsize=9)
            axes.margins(x=0.22)
            axes.invert_yaxis()
            axes.set_title(named(size), fontsize=10, loc="left")
            axes.set_xlabel("CPU per image, ms")
        for axes in panels[1:]:
            axes.set_yticklabels([])


def draw_lengths(lengths: Lengths, file: Path) -> None:
    """Draw the memory of a run over its course, for a short and a long list."""
    with _figure(file, rows=1, columns=1, size=(9, 3.2)) as (_, (axes,)):
        for run, color in ((lengths.short, _ORANGE), (lengths.long, _BLUE)):
            steps = [100 * step / max(1, len(run.memory_mb) - 1) for step in range(len(run.memory_mb))]
            axes.plot(
                steps, run.memory_mb, color=color, label=f"{run.rows:,} rows: peak {run.peak_mb:.0f} MB"
            )
        axes.set_xlabel("part of the run done, %")
        axes.set_ylabel("memory of the process, MB")
        axes.set_ylim(0, 1.2 * max(lengths.short.peak_mb, lengths.long.peak_mb))
        axes.set_xlim(0, 100)
        axes.legend(frameon=False, fontsize=9, loc="lower right")


@contextmanager
def _figure(
    file: Path, *, rows: int, columns: int, size: tuple[float, float], share: bool = False
) -> Iterator[tuple[Figure, list[Axes]]]:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with mpl.rc_context({"axes.spines.top": False, "axes.spines.right": False, "font.size": 9}):
        figure, axes = plt.subplots(
            rows, columns, figsize=size, squeeze=False, sharey=share, layout="constrained"
        )
        yield figure, list(axes.flat)
        figure.savefig(file, dpi=_DPI, metadata={"Software": None})
        plt.close(figure)
