"""A run's progress, pushed to XCom for its page in Airflow's UI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_permitocr.engine.progress.record import Recorded
from airflow_provider_permitocr.engine.progress.reporter import ProgressReporter

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

    from airflow_provider_permitocr.engine.progress.facts import ObservedRun
    from airflow_provider_permitocr.engine.progress.reporter import Log
    from airflow_provider_permitocr.options.task import TaskOptions

#: Key of the XCom entry, and of the last record of a try that failed in the task's state store. The page's
#: ``airflow.js`` requests both.
PROGRESS_KEY: Final = "permitocr_progress"


@contextmanager
def reported(
    run: ObservedRun, task: TaskOptions, context: Context, *, log: Log, link: BaseOperatorLink | None = None
) -> Iterator[None]:
    """Push a run's progress inside the ``with`` block; outside of a task instance, push nothing.

    :param task: rendered.
    :param link: an operator link that Airflow looks up in XCom, where Airflow only puts it when a task ends.
    """
    instance: Any = context.get("ti")
    if instance is None:
        yield
        return
    operator: Any = getattr(instance, "task", None)
    recorded = Recorded(
        try_number=int(instance.try_number),
        shard=task.shard or None,
        pool=getattr(operator, "pool", None),
        pool_slots=task.pool_slots,
        tables=tuple(table.table for table in task.tables),
        files=tuple(file.path for file in task.files),
    )

    links = [link] if link else []
    # Airflow 3.3 has it.
    store: Any = context.get("task_state_store")

    def push(record: Mapping[str, Any]) -> None:
        # Requests to Airflow's supervisor use a lock, so any thread may make them.
        for each in links:
            instance.xcom_push(key=each.xcom_key, value=each.get_link(operator, ti_key=instance))
        links.clear()
        instance.xcom_push(key=PROGRESS_KEY, value=record)
        if record["state"] == "failed" and store is not None:
            # From Airflow 3.4 on, a try's XCom entries are out of reach as soon as it is to be retried,
            # perhaps a day later, when a cap allows more calls.
            store.set(PROGRESS_KEY, record)

    with ProgressReporter(run, push, recorded, log):
        yield
