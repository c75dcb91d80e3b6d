"""The page of a report: one HTML file that loads nothing else, with the numbers beside each picture."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.report.pictures import svg
from airflow_provider_permitocr.report.shown import EXPIRING_IN, Series, Shown, in_words, kind

if TYPE_CHECKING:
    from airflow_provider_permitocr.engine.analytics.figures import Figures

Rows = Sequence[Sequence[str]]

_STYLE: Final = """
:root { color-scheme: light }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; background: #fff; color: #1f2933;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif }
h1 { margin: 0; font-size: 1.7rem; line-height: 1.2 }
h2 { margin: 0 0 .75rem; font-size: 1.15rem }
p.covers { margin: .4rem 0 1.5rem; color: #52606d }
p.note { margin: .5rem 0 0; color: #52606d; font-size: .9rem }
ul.headlines { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem;
  margin: 0 0 1.5rem; padding: 0; list-style: none }
ul.headlines li { padding: .8rem 1rem; border-radius: .5rem; background: #f0f4f8 }
ul.headlines strong { display: block; font-size: 1.45rem; line-height: 1.3; overflow-wrap: anywhere }
ul.headlines span { color: #52606d; font-size: .9rem }
section { margin: 0 0 1.5rem; padding: 1.25rem; border: 1px solid #e4e7eb; border-radius: .5rem }
section > div { display: grid; grid-template-columns: minmax(0, 11fr) minmax(0, 9fr); gap: 1.25rem }
figure { margin: 0 }
svg { display: block; width: 100%; max-width: 44rem; height: auto }
.numbers { max-height: 22rem; overflow: auto }
table { width: 100%; border-collapse: collapse; font-size: .9rem }
th, td { padding: .3rem .4rem; border-bottom: 1px solid #e4e7eb; text-align: left; vertical-align: top }
th { position: sticky; top: 0; background: #fff; font-weight: 600 }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
td.number { white-space: nowrap }
td:first-child { min-width: 7.5rem; overflow-wrap: anywhere }
td { overflow-wrap: break-word }
@media (max-width: 52rem) { body { padding: 1rem } section { padding: 1rem }
  section > div { grid-template-columns: minmax(0, 1fr) } }
@media print { section { break-inside: avoid } .numbers { max-height: none } }
"""


def page(figures: Figures, title: str) -> str:
    """Return the page as HTML.

    :param title: its heading.
    """
    shown = Shown(figures)
    headlines = "".join(
        f"<li><strong>{escape(figure)}</strong> <span>{escape(words)}</span></li>"
        for figure, words in shown.headlines
    )
    sections = (
        _section(shown, "permits", _permits(shown)),
        _section(shown, "expiring", _expiring(shown)),
        _section(shown, "failures", _failures(shown)),
        _section(shown, "flags", _flags(shown), _people(shown)),
        _section(shown, "cost", _cost(shown), _left_out(shown)),
        _section(shown, "pace", _pace(shown), _PACE_NOTE),
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}, {shown.figures.today}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<header><h1>{escape(title)}</h1>\n<p class="covers">{escape(shown.covers)}.</p></header>\n'
        f'<ul class="headlines">{headlines}</ul>\n' + "\n".join(sections) + "\n</body>\n</html>\n"
    )


_PACE_NOTE: Final = (
    "A call's time runs from its row in the ledger to its outcome there, which includes waiting for its turn"
    " and up to a second for writing."
)


def _section(shown: Shown, name: str, table: str, note: str = "") -> str:
    title, picture = svg(name, shown)
    said = f'\n<p class="note">{escape(note)}</p>' if note else ""
    return (
        f'<section id="{name}">\n<h2>{escape(title)}</h2>\n<div>\n<figure>{picture}'
        f'</figure>\n<div class="numbers">{table}</div>\n</div>{said}\n</section>'
    )


def _permits(shown: Shown) -> str:
    days = [each.isoformat() for each in reversed(shown.days)]
    turned = {name: counts[::-1] for name, counts in shown.permits.items()}
    return _by_place("Day", days, turned)


def _expiring(shown: Shown) -> str:
    return _by_place("Expiring", EXPIRING_IN, shown.expiring)


def _by_place(head: str, places: Sequence[str], series: Series) -> str:
    rows = []
    for at, place in enumerate(places):
        counts = [each[at] for each in series.values()]
        if any(counts):
            rows.append([place, f"{sum(counts):,}", *(f"{each:,}" for each in counts)])
    return _table([head, "Total", *series], rows)


def _failures(shown: Shown) -> str:
    rows = [
        [each.error_code or "no code", f"{each.images:,}", ". ".join(filter(None, (each.cause, each.advice)))]
        for each in shown.failures
    ]
    return _table(["Code", "Images", "Cause, and what to do"], rows, texts=(0, 2))


def _flags(shown: Shown) -> str:
    rows = [[each.flag.replace("_", " "), *(f"{number:,}" for number in each[1:])] for each in shown.flags]
    return _table(["Flag", "Images", "Confirmed", "Corrected", "Rejected", "Undecided"], rows)


def _people(shown: Shown) -> str:
    figures = shown.figures
    return (
        f"{figures.people:,} document numbers occur under several keys: {figures.names_differ:,} with"
        f" different names, {figures.issues_differ:,} with issues that do not rise with their date."
    )


def _cost(shown: Shown) -> str:
    sums: dict[tuple[str, str, str, str], list[int]] = {}
    for line in shown.figures.costs:
        if line.day < shown.days[0]:
            continue
        key = (line.dag_id, kind(line.permit_kind), line.unit_price or "", line.currency or "")
        of = sums.setdefault(key, [0, 0, 0])
        of[0] += line.calls
        of[1] += line.billed
        of[2] += line.cost_micros or 0
    rows = [
        [dag_id, name, f"{calls:,}", f"{billed:,}", price, in_words(micros, currency) if price else "–"]
        for (dag_id, name, price, currency), (calls, billed, micros) in sorted(sums.items())
    ]
    return _table(["DAG", "Kind", "Calls", "Billed", "Price", "Cost"], rows, texts=(0, 1))


def _left_out(shown: Shown) -> str:
    said = []
    if len(shown.money) > 1:
        others = ", ".join(each.total for each in shown.money[1:])
        said.append(f"The picture shows {shown.money[0].currency}; there are also {others}.")
    if shown.unknown_billing:
        said.append(f"Not in the cost, as their billing is unknown: {shown.unknown_billing:,}.")
    if shown.unpriced:
        said.append(f"{shown.unpriced:,} billed calls have no price.")
    return " ".join(said)


def _pace(shown: Shown) -> str:
    rows = [
        [
            f"{shown.local(each.hour):%Y-%m-%d %H}:00",
            *(f"{number:,}" for number in (each.calls, each.best_minute)),
            *("–" if value is None else f"{value / 1000:.2f} s" for value in (each.p50_ms, each.p95_ms)),
        ]
        for each in reversed(shown.hours)
    ]
    return _table(["Hour", "Calls", "Best minute", "Half within", "95 % within"], rows)


def _table(heads: Sequence[str], rows: Rows, *, texts: Collection[int] = (0,)) -> str:
    """Return a table.

    :param texts: which of its columns are not numbers.
    """
    if not rows:
        return "<p>None.</p>"

    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{'' if at in texts else ' class=number'}>{escape(value)}</{tag}>"
            for at, value in enumerate(values)
        )

    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table>\n<thead><tr>{cells('th', heads)}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"
