"""A run that there may never be: its dates, and what its templates are rendered with.

Airflow makes that context only for a running task, so it is built here of what its reference of templates
documents.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_permitocr.cli.airflow_internals import macros, manual_interval
from airflow_provider_permitocr.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator


@dataclass(frozen=True)
class PlannedRun:
    """The dates of a run, all with time zones.

    :param interval_start: of its data interval, with ``interval_end``; None if its schedule has none.
    """

    logical_date: datetime
    interval_start: datetime | None
    interval_end: datetime | None


def planned_run(
    dag: DAG, logical_date: datetime | None, start: datetime | None, end: datetime | None
) -> PlannedRun:
    """Return the run of a DAG at these dates; missing ones are as in a manual run.

    :raises ConfigurationError: when one end of the interval is missing, or it ends before it starts.
    """
    from airflow.sdk import timezone

    if (start is None) != (end is None):
        raise ConfigurationError("give both --interval-start and --interval-end, or neither")
    if start is not None and end is not None:
        if end < start:
            raise ConfigurationError("--interval-end is before --interval-start")
        return PlannedRun(logical_date or start, start, end)
    at = timezone.coerce_datetime(logical_date or timezone.utcnow())
    interval = manual_interval(dag, at)
    return PlannedRun(at, interval and interval.start, interval and interval.end)


def rendered(dag: DAG, task: MainlandPermitOcrOperator, run: PlannedRun) -> MainlandPermitOcrOperator:
    """Render the templates of a task in place, and return it.

    :raises ConfigurationError: naming what is only known at run time, or does not work.
    """
    from jinja2 import TemplateError

    try:
        task.render_template_fields(_context(dag, task, run), task.get_template_env(dag))
    except TemplateError as error:
        raise ConfigurationError(
            f"a template cannot be rendered before a run: {type(error).__name__}: {error}; plan_only=True"
            " plans it in a run"
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"the rendered task is wrong: {error}") from None
    except Exception as error:  # noqa: BLE001  variables, macros and plugins raise their own errors
        # Its own message may contain values of variables or connections.
        raise ConfigurationError(
            f"a template cannot be rendered before a run ({type(error).__name__}); plan_only=True plans it"
            " in a run"
        ) from None
    return task


def _context(dag: DAG, task: MainlandPermitOcrOperator, run: PlannedRun) -> Any:
    """Return Airflow's template variables, as far as they exist before a run."""
    from airflow.sdk import timezone

    params = copy(dag.params)
    params.update(task.params)
    at = timezone.coerce_datetime(run.logical_date)
    ts = at.isoformat()
    return {
        "dag": dag,
        "task": task,
        "run_id": f"manual__{ts}",
        "params": params.validate(),
        "macros": macros(),
        "var": {
            "json": _Variables(is_json=True),
            "value": _Variables(is_json=False),
        },
        "conn": _Connections(),
        "logical_date": at,
        "ds": at.strftime("%Y-%m-%d"),
        "ds_nodash": at.strftime("%Y%m%d"),
        "ts": ts,
        "ts_nodash": at.strftime("%Y%m%dT%H%M%S"),
        "ts_nodash_with_tz": ts.replace("-", "").replace(":", ""),
        "data_interval_start": timezone.coerce_datetime(run.interval_start),
        "data_interval_end": timezone.coerce_datetime(run.interval_end),
    }


class _Variables:
    """``var.value`` and ``var.json``: ``var.value.name``, ``var.value.get("name", default)``."""

    def __init__(self, *, is_json: bool) -> None:
        self._is_json = is_json

    def __getattr__(self, key: str) -> Any:
        return self.get(key)

    def get(self, key: str, *default: Any) -> Any:
        """Return a variable, or the default if there is none.

        :raises AirflowException: when there is neither.
        """
        from airflow.sdk import Variable

        given = {"default": default[0]} if default else {}
        return Variable.get(key, deserialize_json=self._is_json, **given)


class _Connections:
    """``conn``: ``conn.name.host``, ``conn.get("name", default).host``."""

    def __getattr__(self, conn_id: str) -> Any:
        from airflow.sdk import Connection

        return Connection.get(conn_id)

    def get(self, conn_id: str, default_conn: Any = None) -> Any:
        """Return a connection, or the default if there is none."""
        from airflow.sdk import Connection
        from airflow.sdk.exceptions import AirflowNotFoundException

        try:
            return Connection.get(conn_id)
        except AirflowNotFoundException:
            return default_conn
