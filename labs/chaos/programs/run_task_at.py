"""A task on a worker whose clock is wrong. Before setting it, imports nothing that reads the clock."""

from __future__ import annotations

import pickle
import sys
import time
from datetime import datetime, timedelta, tzinfo
from multiprocessing.connection import Connection
from typing import Any, Final

_PACKAGE: Final = "airflow_provider_permitocr"


def run_task_at(clock_seconds: float, task: bytes, parent: Connection) -> None:
    """Set this process's clock, then execute the operator.

    :param clock_seconds: by how much it is ahead of the machine's.
    :param task: pickled, as it would import the package.
    """
    set_clock(clock_seconds)

    from labs.chaos.programs.run_task import run_task

    shift_datetimes(clock_seconds)
    run_task(pickle.loads(task), parent)  # noqa: S301  it comes from the process that has started this one


def set_clock(seconds: float) -> None:
    """Let ``time.time`` be ahead of the machine's clock, for all that is imported from now on."""
    real_time = time.time
    time.time = lambda: real_time() + seconds


def shift_datetimes(seconds: float) -> None:
    """Set the clock ahead in what the package has imported from ``datetime``.

    Only in the package: compiled modules of other packages do not accept another class.
    """
    ahead = timedelta(seconds=seconds)

    class AnyDatetime(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, datetime)

    class ShiftedDatetime(datetime, metaclass=AnyDatetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.now(tz) + ahead

    for name, module in list(sys.modules.items()):
        if name.startswith(_PACKAGE) and getattr(module, "datetime", None) is datetime:
            module.datetime = ShiftedDatetime  # type: ignore[attr-defined]
