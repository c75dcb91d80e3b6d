"""Plans as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_permitocr.engine.plan.plan import Plan

if TYPE_CHECKING:
    from airflow_provider_permitocr.cli.planned_run import PlannedRun
    from airflow_provider_permitocr.cli.task_plan import TaskPlan

_PART_HEADS = ("part", "listed", "settled", "rejected", "unavailable", "same", "to call", "cost", "time")


def plan_block(dag_id: str, run: PlannedRun, planned: TaskPlan) -> str:
    """Return a task with its plan, as lines."""
    head = f"{dag_id}.{planned.task_id}, {_when(run)}"
    if planned.error:
        return f"{head}\n  cannot be planned: {planned.error}\n"
    lines = [head]
    if planned.parts:
        lines += _table([_PART_HEADS, *(_part(name, plan) for name, plan in planned.parts)])
    if planned.plan:
        lines += ["  all together, side by side"] if planned.parts else []
        lines += _aligned(planned.plan.lines())
    elif planned.parts:
        lines.append("  no sum: the parts have different accounts, prices or caps")
    else:
        lines.append("  mapped over nothing: no call")
    return "\n".join(lines) + "\n"


def _when(run: PlannedRun) -> str:
    if run.interval_start is None or run.interval_end is None or run.interval_start == run.interval_end:
        return f"a run of {_minute(run.logical_date)}"
    return f"a run of {_minute(run.interval_start)} to {_minute(run.interval_end)}"


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M %Z")


def _aligned(lines: Iterable[tuple[str, str]]) -> list[str]:
    said = list(lines)
    width = max(len(name) for name, _ in said)
    return [f"  {name:<{width}}  {text}" for name, text in said]


def _part(name: str, plan: Plan) -> Sequence[str]:
    counts = (
        *(plan.listed, plan.settled, sum(plan.rejected.values()), sum(plan.unavailable.values())),
        *(plan.same_picture, plan.to_call),
    )
    return (name, *(f"{count:,}" for count in counts), plan.cost or "unknown", plan.duration)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows
    ]
