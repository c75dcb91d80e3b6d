"""Everything the package uses beyond Airflow's documented interface, for commands only.

Tasks use none of it. ``tests/test_private_names.py`` lists each name with its reason.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import argparse
    from datetime import datetime

    from airflow.cli.simple_table import AirflowConsole
    from airflow.sdk import DAG
    from airflow.timetables.base import DataInterval

Command: TypeAlias = "Callable[[argparse.Namespace], None]"


def airflow_command(function: Command) -> Command:
    """Decorate a function as a command of ``airflow``: logs only with ``--verbose``, and all connections."""

    @wraps(function)
    def run(arguments: argparse.Namespace) -> None:
        # As Airflow's own commands about connections do: else those in its database are not seen.
        os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
        with nullcontext() if arguments.verbose else _no_logs():
            function(arguments)

    return run


@contextmanager
def _no_logs() -> Iterator[None]:
    """Keep logs and warnings of Airflow, of DAG files and of libraries from between a command's lines."""
    import structlog

    # Existing loggers share this list; Airflow's own bypass the standard library's settings.
    processors = structlog.get_config()["processors"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        processors.insert(0, _drop)
        try:
            yield
        finally:
            processors.remove(_drop)
            logging.disable(logging.NOTSET)


def _drop(_logger: Any, _method: str, _event: Any) -> Any:
    from structlog import DropEvent

    raise DropEvent


def console() -> AirflowConsole:
    """Return what prints tables, JSON and YAML as every ``airflow`` command does."""
    from airflow.cli.simple_table import AirflowConsole

    return AirflowConsole()


def pool_slots() -> dict[str, int]:
    """Return the slots of every pool.

    :raises SQLAlchemyError: when Airflow's database cannot be read.
    """
    from airflow.models.pool import Pool

    return {str(each.pool): int(each.slots) for each in Pool.get_pools()}


def manual_interval(dag: DAG, at: datetime) -> DataInterval | None:
    """Return the data interval of a manual run; None if the schedule has none."""
    from airflow.sdk import timezone
    from airflow.serialization.encoders import coerce_to_core_timetable

    run_after = timezone.coerce_datetime(at)
    return coerce_to_core_timetable(dag.timetable).infer_manual_data_interval(run_after=run_after)


def macros() -> Any:
    """Return the macros of templates, including those of plugins."""
    from airflow.sdk import macros as known
    from airflow.sdk.plugins_manager import integrate_macros_plugins

    integrate_macros_plugins()
    return known
