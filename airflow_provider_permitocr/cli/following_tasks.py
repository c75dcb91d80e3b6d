"""Reads tasks that follow recognition from DAGs: reviews, and updates of analytics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from airflow_provider_permitocr.cli.checks.findings import Finding, FollowingTask, Verdict
from airflow_provider_permitocr.cli.ocr_tasks import expanded
from airflow_provider_permitocr.operators.permit_analytics import PermitAnalyticsOperator
from airflow_provider_permitocr.operators.permit_review import PermitReviewOperator

if TYPE_CHECKING:
    from airflow.sdk import DAG

Following: TypeAlias = "PermitReviewOperator | PermitAnalyticsOperator"


def is_following_task(task: Any) -> bool:
    """Return whether a task, plain or mapped, asks about readings or updates analytics."""
    return issubclass(task.operator_class, PermitReviewOperator | PermitAnalyticsOperator)


def read_following(dag: DAG, task: Any) -> FollowingTask:
    """Read a task, plain or mapped, from a DAG."""
    findings: list[Finding] = []
    operators = _instances(task, findings) if task.is_mapped else [task]
    return FollowingTask(
        dag_id=dag.dag_id,
        task_id=task.task_id,
        file=str(dag.relative_fileloc or dag.fileloc),
        operators=tuple(operators),
        findings=tuple(dict.fromkeys(findings)),
    )


def _instances(task: Any, findings: list[Finding]) -> list[Following]:
    made = []
    for arguments in expanded(task.expand_input.value):
        if names := arguments.unknown_names:
            findings.append(Finding(Verdict.UNCHECKED, "task", f"{names}: known only at run time"))
            continue
        try:
            made.append(task.unmap(arguments.known))
        except Exception as error:  # noqa: BLE001  subclasses raise their own errors
            message, remedy = f"cannot be mapped: {error}", "correct the arguments of partial() and expand()"
            findings.append(Finding(Verdict.WRONG, "task", message, remedy))
    return made
