"""Show the result of a run as a person would like to read it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from labs.demo.warehouse import LedgerSums
from labs.ground.accuracy import Accuracy

_MICROS: Final = 1_000_000
_GAP: Final = 2  # one cell of padding, one of rich's box
_ENOUGH_OF_A_LONG_TEXT: Final = 24
# The summary comes back from a JSONB column, which keeps no order of keys.
_SUMMARY_ORDER: Final = (
    *("listed", "skipped", "statuses", "error_codes"),
    *(
        "calls",
        "billed",
        "cost",
        "currency",
        "reused",
        "elsewhere",
        "throttled",
        "elapsed_seconds",
        "calls_per_second",
        "left",
        "cap",
    ),
)


@dataclass(frozen=True)
class ShownColumn:
    """A column of a shown table.

    :param name: of the result table's column.
    :param title: its heading, where the name is too long.
    :param importance: where the terminal is too narrow, the least important columns are left out.
    :param long: a text that may take several lines.
    """

    name: str
    importance: int
    title: str = ""
    long: bool = False


_FRONTS: Final = (
    ShownColumn("image_key", 9, "image"),
    ShownColumn("type", 1),
    ShownColumn("name", 8),
    ShownColumn("english_name", 4),
    ShownColumn("sex", 3),
    ShownColumn("birthday", 5),
    ShownColumn("number", 7),
    ShownColumn("valid_from", 2),
    ShownColumn("valid_until", 6),
)
_BACKS: Final = (
    ShownColumn("image_key", 9, "image"),
    ShownColumn("back_type", 1),
    ShownColumn("back_name", 8),
    ShownColumn("back_id_number", 7),
    ShownColumn("back_history_number", 6),
)
_FLAGGED: Final = (
    ShownColumn("image_key", 9, "image"),
    ShownColumn("card_side", 6, "side"),
    ShownColumn("permit_kind", 1),
    ShownColumn("is_doubtful", 5),
    ShownColumn("quality_flags", 8, long=True),
)
_COSTS: Final = (
    ShownColumn("day", 9),
    ShownColumn("dag_id", 3),
    ShownColumn("permit_kind", 8),
    ShownColumn("calls", 6),
    ShownColumn("billed", 5),
    ShownColumn("cost", 7),
)
#: Columns of a document by topic: first those of the front, then those of the back.
_BOTH_SIDES: Final = (
    ("type", "type", "back_type"),
    ("name", "name", "back_name"),
    ("number", "number", "back_history_number"),
    ("identity number", None, "back_id_number"),
    ("valid until", "valid_until", None),
    ("flags", "front_quality_flags", "back_quality_flags"),
)
_OTHERS: Final = (
    ShownColumn("image_key", 9, "image"),
    ShownColumn("status", 7),
    ShownColumn("error_code", 1),
    ShownColumn("error_message", 8, long=True),
)


def show_results(results: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print the result table: fronts, backs, and the images without fields with their reasons."""
    recognized = [row for row in results if row["status"] == "recognized"]
    fronts = [row for row in recognized if row["card_side"] == "FRONT"]
    backs = [row for row in recognized if row["card_side"] == "BACK"]
    others = [row for row in results if row["status"] != "recognized"]
    _show("recognized, front", fronts, _FRONTS, console)
    _show("recognized, back", backs, _BACKS, console)
    _show("not recognized, and why", others, _OTHERS, console)


def show_flags(results: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print what is remarkable about fields that were read."""
    flagged = [
        dict(row) | {"quality_flags": ", ".join(json.loads(row["quality_flags"]))}
        for row in results
        if row["quality_flags"] not in (None, "[]")
    ]
    _show("with flags (see docs/guides/quality.md for their meanings)", flagged, _FLAGGED, console)


def show_document(document: Mapping[str, Any] | None, console: Console) -> None:
    """Print a document, both of its sides beside each other."""
    if document is None:
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, _GAP - 1, 0, 0), pad_edge=False, show_edge=False)
    for title in (str(document["image_key"]), "front", "back"):
        table.add_column(title, overflow="fold")
    for what, front, back in _BOTH_SIDES:
        sides = (_text(document[column]) if column else "" for column in (front, back))
        table.add_row(what, *sides)
    disagree = [name for name in ("type", "name") if document[f"{name}_mismatch"]]
    said = f"the sides disagree in {' and '.join(disagree)}" if disagree else "the sides agree"
    console.print(f"\n[bold]One document, both sides[/bold][dim]  ({said})[/dim]\n", highlight=False)
    console.print(table, highlight=False)


def show_costs(costs: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print what calls have cost, by day, DAG and kind of permit."""
    shown = [
        dict(row)
        | {
            "permit_kind": row["permit_kind"] or "unknown",
            "cost": f"{Decimal(row['cost_micros']) / _MICROS:f} {row['currency']}"
            if row["cost_micros"] is not None
            else "",
        }
        for row in costs
    ]
    _show("lines of cost, by day and kind (permits_cost_by_day)", shown, _COSTS, console)


def _show(
    title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[ShownColumn], console: Console
) -> None:
    if not rows:
        return
    shown = fitting(rows, columns, console.width)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, _GAP - 1, 0, 0), pad_edge=False, show_edge=False)
    for column in shown:
        # Rich only narrows columns that may wrap, as long as there are any.
        table.add_column(column.title or column.name, no_wrap=not column.long, overflow="fold")
    for row in rows:
        table.add_row(*(_text(row[column.name]) for column in shown))
    left_out = [column.name for column in columns if column not in shown]
    hint = f"  (no room for {', '.join(left_out)})" if left_out else ""
    console.print(f"\n[bold]{len(rows)} {title}[/bold][dim]{hint}[/dim]\n", highlight=False)
    console.print(table, highlight=False)


def fitting(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[ShownColumn], width: int
) -> list[ShownColumn]:
    """Return the columns to show in a terminal, leaving out the least important ones until they fit.

    :param width: of the terminal, in cells; a Chinese character takes two.
    """
    needed = {column: _GAP + _natural_width(rows, column) for column in columns}
    shown = list(columns)
    while len(shown) > 1 and sum(needed[column] for column in shown) - _GAP > width:
        shown.remove(min(shown, key=lambda column: column.importance))
    return shown


def _natural_width(rows: Iterable[Mapping[str, Any]], column: ShownColumn) -> int:
    texts = [column.title or column.name, *(_text(row[column.name]) for row in rows)]
    widest = max(cell_len(text) for text in texts)
    return min(widest, _ENOUGH_OF_A_LONG_TEXT) if column.long else widest


def _text(value: Any) -> str:
    return "" if value is None else " ".join(str(value).split())


def show_accuracy(clean: Accuracy, effect: Accuracy, console: Console) -> None:
    """Print how much was read as drawn, and where it differs."""
    console.print("\n[bold]Read as drawn[/bold]\n", highlight=False)
    for name, accuracy in (("clean specimens", clean), ("skewed, blurred, noisy, photocopied", effect)):
        read = f"{accuracy.equal} of {accuracy.fields} fields of {accuracy.images} {name}"
        console.print(f"  {accuracy.percent:5.1f} %  {read}", highlight=False)
        for field in accuracy.differences:
            line = f"{field.image_id} {field.column}: drawn {field.drawn!r}, read {field.read!r}"
            console.print(f"           {line}", highlight=False, markup=False)
        if accuracy.unread:
            console.print(f"           not read at all: {', '.join(accuracy.unread)}", highlight=False)


def show_summary(summary: Any, calls: int, ledger: LedgerSums, console: Console) -> None:
    """Print the operator's own summary, and the counts of the emulator and the ledger for this run.

    :param summary: what the task returned.
    :param calls: recognitions that the emulator counted.
    :param ledger: the sums of the table of calls.
    """
    console.print("\n[bold]The run's summary (the task's XCom)[/bold]\n", highlight=False)
    lines = Table.grid(padding=(0, _GAP), pad_edge=False)
    entries = _in_order(summary) if isinstance(summary, Mapping) else []
    room = console.width - 2 * _GAP - max((len(name) for name, _ in entries), default=0)
    for name, value in entries:
        lines.add_row(f"  {name}", _counts(value, room))
    console.print(lines, highlight=False)
    console.print(f"\n  {_calls_line(calls)}", highlight=False)
    console.print(
        f"  The ledger, permit_ocr_calls, says {ledger.calls} called, {ledger.billed} of them billed"
        f"{f', {ledger.unknown} unknown' if ledger.unknown else ''}.",
        highlight=False,
    )


def _calls_line(calls: int) -> str:
    if calls == 0:
        return "The emulator answered no call: answers that an earlier run paid for are kept."
    return f"The emulator answered {calls} {'call' if calls == 1 else 'calls'} in this run."


def _in_order(summary: Mapping[str, Any]) -> list[tuple[str, Any]]:
    place = {name: index for index, name in enumerate(_SUMMARY_ORDER)}
    return sorted(summary.items(), key=lambda item: place.get(item[0], len(place)))


def _counts(value: Any, room: int) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    most_first = sorted(value.items(), key=lambda item: (-item[1], item[0]))
    texts = [f"{name}: {count}" for name, count in most_first]
    one_line = ", ".join(texts)
    return (one_line if len(one_line) <= room else "\n".join(texts)) or "none"
