"""Plans as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_permitocr.engine.plan.plan import Plan

if TYPE_CHECKING:
    from airflow_provider_permitocr.cli.plans.planned_run import PlannedRun
    from airflow_provider_permitocr.cli.plans.task_plan import TaskPlan

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
        lines += ["  all together, in parallel"] if planned.parts else []
        lines += _aligned(planned.plan.lines())
    elif planned.parts:
        lines.append("  no total: the parts have different accounts, prices or caps")
    else:
        lines.append("  mapped over an empty list: no call")
    return "\n".join(lines) + "\n"


def plan_rows(planned: TaskPlan) -> list[dict[str, Any]]:
    """Return a row for each part, and one for the whole task, or for why it cannot be planned."""
    rows = [_row(planned.task_id, name, plan) for name, plan in planned.parts]
    if planned.plan or not planned.parts:
        rows.append(_row(planned.task_id, "all", planned.plan) | {"error": planned.error or None})
    return rows


def _row(task_id: str, part: str, plan: Plan | None) -> dict[str, Any]:
    numbers = dict.fromkeys(_PART_HEADS[1:]) if plan is None else _numbers(plan)
    return {"task": task_id, "part": part, **numbers, "error": None}


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
    numbers = _numbers(plan).values()
    return (name, *(f"{each:,}" if isinstance(each, int) else each for each in numbers))


def _numbers(plan: Plan) -> dict[str, Any]:
    counts = (
        *(plan.listed, plan.settled, sum(plan.rejected.values()), sum(plan.unavailable.values())),
        *(plan.same_picture, plan.to_call),
    )
    return dict(zip(_PART_HEADS[1:], (*counts, plan.cost or "unknown", plan.duration), strict=True))


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows
    ]
