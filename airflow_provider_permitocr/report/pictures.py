"""The pictures of a report, drawn by matplotlib: each as SVG, or all on one sheet as PNG."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_permitocr.report.shown import EXPIRING_IN, Money, Series, Shown, in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from airflow_provider_permitocr.engine.analytics.figures import Figures

#: Okabe and Ito's colors, which color-blind people can distinguish, too.
_COLORS: Final = ("#0072B2", "#E69F00", "#56B4E9", "#009E73", "#CC79A7")
_BLUE, _ORANGE, _GREY, _RED = "#0072B2", "#E69F00", "#9AA5B1", "#D55E00"
_INK, _FAINT = "#1F2933", "#E4E7EB"
_DECISIONS: Final = (
    *(("undecided", _GREY), ("confirmed", _BLUE), ("corrected", _ORANGE), ("rejected", _RED)),
)
#: Names of DAGs may be Chinese.
_FONTS: Final = ("Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Zen Hei", "PingFang SC", "SimHei")
_STYLE: Final[Mapping[str, Any]] = {
    **{"font.size": 10, "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation": "left"},
    **{"axes.titlepad": 12, "axes.edgecolor": _GREY, "axes.labelcolor": _INK, "text.color": _INK},
    **{"xtick.color": _INK, "ytick.color": _INK, "axes.spines.top": False, "axes.spines.right": False},
    **{"axes.grid": True, "grid.color": _FAINT, "axes.axisbelow": True, "legend.frameon": False},
    # The page's own fonts; ids are the same in each run.
    **{"svg.fonttype": "none", "legend.fontsize": 9, "xtick.major.size": 0, "ytick.major.size": 0},
    # A title with two dollar signs is no formula.
    "text.parse_math": False,
}
_PAGE_SIZE: Final = (5.8, 3.2)
_SHEET_SIZE: Final = (15.5, 13.0)
_SHEET_DPI: Final = 120
_TICKS: Final = 6

Draw = Callable[["Axes", Shown], None]


def svg(name: str, shown: Shown) -> tuple[str, str]:
    """Draw one picture for a page.

    :param name: one of ``PICTURES``.
    :return: its title, and the picture without it, as an element.
    """
    with _style(name):
        figure = _figure(_PAGE_SIZE)
        axes = figure.subplots()
        PICTURES[name](axes, shown)
        title = axes.get_title(loc="left")
        axes.set_title("")
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    drawn = stream.getvalue()
    return title, drawn[drawn.index("<svg") :]


def poster(figures: Figures, title: str) -> bytes:
    """Draw all pictures on one sheet, as a PNG file."""
    shown = Shown(figures)
    with _style("poster"):
        figure = _figure(_SHEET_SIZE)
        # Each with a separate layout, so that long names in one do not shrink the others.
        parts: Any = figure.subfigures(3, 2)
        for part, draw in zip(parts.flat, PICTURES.values(), strict=True):
            draw(part.subplots(), shown)
        figure.text(0.012, 0.985, title, fontsize=22, fontweight="bold", va="top")
        figure.text(0.012, 0.955, shown.covers, fontsize=11, va="top")
        layout: Any = figure.get_layout_engine()
        layout.set(rect=(0, 0, 1, 0.93), h_pad=0.18, w_pad=0.18)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=_SHEET_DPI, metadata={"Software": None})
    return stream.getvalue()


def _draw_permits(axes: Axes, shown: Shown) -> None:
    axes.set_title(f"Permits recognized by day: {sum(map(sum, shown.permits.values())):,}")
    _stack(axes, shown.permits, [f"{day:%b} {day.day}" for day in shown.days])


def _draw_expiring(axes: Axes, shown: Shown) -> None:
    axes.set_title(f"Permits that expire soon: {sum(map(sum, shown.expiring.values())):,}")
    _stack(axes, shown.expiring, EXPIRING_IN, is_labeled=True)


def _draw_failures(axes: Axes, shown: Shown) -> None:
    total = sum(each.images for each in shown.figures.failures)
    axes.set_title(f"Images without a result, by cause: {total:,}")
    by_code: dict[str, int] = {}
    for each in shown.failures:
        code = each.error_code or "no code"
        by_code[code] = by_code.get(code, 0) + each.images
    _bars(axes, list(by_code), {"": list(by_code.values())}, [_RED])


def _draw_flags(axes: Axes, shown: Shown) -> None:
    axes.set_title("Flags, and what people decided")
    names = [each.flag.replace("_", " ") for each in shown.flags]
    series = {name: [getattr(each, name) for each in shown.flags] for name, _ in _DECISIONS}
    _bars(axes, names, series, [color for _, color in _DECISIONS])


def _draw_cost(axes: Axes, shown: Shown) -> None:
    first: Money | None = shown.money[0] if shown.money else None
    axes.set_title("Cost of calls by day" + (f": {first.total}" if first else ""))
    if first is None or not any(first.micros):
        _say(axes, "No price is known for these days")
        return
    units = [each / 1_000_000 for each in first.micros]  # lengths of bars; the sums in words are exact
    axes.bar(range(len(units)), units, color=_BLUE, width=0.8)
    _name_places(axes, [f"{day:%b} {day.day}" for day in shown.days])
    axes.set_ylabel(first.currency or "no currency")
    axes.grid(visible=False, axis="x")
    most = max(range(len(units)), key=units.__getitem__)
    label = in_words(first.micros[most], first.currency)
    axes.annotate(label, (most, units[most]), (0, 3), textcoords="offset points", ha="center", fontsize=9)


def _draw_pace(axes: Axes, shown: Shown) -> None:
    axes.set_title("Calls by hour, and how long they took")
    if not shown.hours:
        _say(axes, "No calls")
        return
    places = range(len(shown.hours))
    axes.bar(places, [each.calls for each in shown.hours], color=_FAINT, width=0.9)
    axes.set_ylabel("calls")
    axes.grid(visible=False)
    _whole_numbers(axes.yaxis)
    local = [shown.local(each.hour) for each in shown.hours]
    _name_places(axes, [f"{each:%b} {each.day}, {each:%H}:00" for each in local], most=4)
    times = axes.twinx()
    times.grid(visible=False)
    times.spines["right"].set_visible(True)
    for name, color, label in (("p95_ms", _ORANGE, "95 % of calls within"), ("p50_ms", _BLUE, "half within")):
        values = [getattr(each, name) for each in shown.hours]
        seconds = [float("nan") if each is None else each / 1000 for each in values]
        times.plot(places, seconds, color=color, linewidth=1.8, marker="o", markersize=3, label=label)
    times.set_ylim(0, 1.25 * times.get_ylim()[1])  # room for the legend
    times.set_ylabel("seconds")
    times.legend(loc="upper left", ncols=2)
    axes.margins(y=0.25)


#: In display order.
PICTURES: Final[Mapping[str, Draw]] = {
    "permits": _draw_permits,
    "expiring": _draw_expiring,
    "failures": _draw_failures,
    "flags": _draw_flags,
    "cost": _draw_cost,
    "pace": _draw_pace,
}


def _stack(axes: Axes, series: Series, places: Sequence[str], *, is_labeled: bool = False) -> None:
    if not series:
        _say(axes, "None")
        return
    bottom = [0] * len(places)
    for (name, counts), color in zip(series.items(), _COLORS, strict=False):
        bars = axes.bar(range(len(places)), counts, bottom=bottom, color=color, width=0.8, label=name)
        bottom = [below + count for below, count in zip(bottom, counts, strict=True)]
    if is_labeled:
        axes.bar_label(bars, [f"{each:,}" for each in bottom], padding=3, fontsize=10)
    axes.grid(visible=False, axis="x")
    _name_places(axes, places)
    _whole_numbers(axes.yaxis)
    axes.margins(y=0.28)
    axes.legend(loc="upper left", ncols=2)


def _bars(axes: Axes, names: Sequence[str], series: Series, colors: Sequence[str]) -> None:
    if not names:
        _say(axes, "None")
        return
    left = [0] * len(names)
    for (name, counts), color in zip(series.items(), colors, strict=True):
        bars = axes.barh(range(len(names)), counts, left=left, color=color, height=0.7, label=name)
        left = [before + count for before, count in zip(left, counts, strict=True)]
    axes.bar_label(bars, [f"{each:,}" for each in left], padding=4, fontsize=9)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.14)
    _whole_numbers(axes.xaxis)
    if len(series) > 1:
        axes.legend(loc="lower right", ncols=1)


def _name_places(axes: Axes, places: Sequence[str], most: int = _TICKS) -> None:
    """Name places on the axis below, as many as there is room for, the last one always."""
    step = -(-len(places) // most)
    ticks = list(range(len(places) - 1, -1, -step))[::-1]
    axes.set_xticks(ticks, [places[each] for each in ticks])


def _whole_numbers(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _say(axes: Axes, words: str) -> None:
    axes.set(xticks=[], yticks=[])
    axes.text(0.5, 0.5, words, ha="center", va="center", transform=axes.transAxes, color=_GREY)


def _style(salt: str) -> Any:
    """Return the style, which makes ids unique among all pictures on a page."""
    import matplotlib as mpl
    from matplotlib import font_manager

    installed = set(font_manager.get_font_names())
    fonts = ["DejaVu Sans", *(each for each in _FONTS if each in installed)]
    style: Any = {**_STYLE, "svg.hashsalt": salt, "font.family": fonts}
    return mpl.rc_context(style)


def _figure(size: tuple[float, float]) -> Figure:
    # Not by pyplot, which keeps figures of the whole process.
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")
