"""A task's summary as text, for Airflow's notifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.engine.run.summary_lines import summary_lines


def summary_text(summary: Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None) -> str:
    """Describe what a task did: one line for each fact, first those that need action. Also works as a filter.

    ``DAG(user_defined_filters={"summary_text": summary_text})`` allows
    ``{{ ti.xcom_pull(task_ids="recognize_permits") | summary_text }}`` in a notifier's template.

    :param summary: what the task returned; None if it returned nothing, such as a failed task. For a mapped
        task, ``xcom_pull`` returns a list: each part's text has its number above it.
    :raises ValueError: when it is not a summary of a run, but for example of a plan.
    """
    if summary is None or summary == []:
        return "No summary: the task did not succeed. See its log for the reason."
    if not isinstance(summary, Mapping):
        if isinstance(summary, str) or not isinstance(summary, Sequence):
            raise ValueError(f"not the summary of a run, but {type(summary).__name__}")
        return "\n\n".join(f"Part {number}:\n{summary_text(each)}" for number, each in enumerate(summary))
    lines = list(summary_lines(RunSummary.of(summary)))
    first = [f"! {line.text}" for line in lines if line.is_warning]
    return "\n".join([*first, *(line.text for line in lines if not line.is_warning)])
