"""All that the package uses of Airflow beyond its documented interface, for the commands alone.

Tasks need none of it. ``tests/test_private_names.py`` lists each name with its reason.
"""

from __future__ import annotations

import os
from collections.abc import Callable
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
        from airflow.utils.cli import suppress_logs_and_warning

        # As Airflow's own commands about connections do: else those in its database are not seen.
        os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
        suppress_logs_and_warning(function)(arguments)

    return run


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
    """Return the data interval of a run that is triggered by hand; None where the schedule has none."""
    from airflow.sdk import timezone
    from airflow.serialization.encoders import coerce_to_core_timetable

    run_after = timezone.coerce_datetime(at)
    return coerce_to_core_timetable(dag.timetable).infer_manual_data_interval(run_after=run_after)


def macros() -> Any:
    """Return the macros of templates, those of plugins included."""
    from airflow.sdk import macros as known
    from airflow.sdk.plugins_manager import integrate_macros_plugins

    integrate_macros_plugins()
    return known
