"""One try of a task, and how it ended, as they go to its process and come back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Task:
    """One try of a task instance.

    :param arguments: of the operator, except its id.
    :param connections: Airflow connections in JSON, by id.
    :param adopts: it does what ``airflow permitocr adopt`` does, instead of a run.
    :param waits: once it is ready to begin, it waits for a signal.
    :param log: file for the process's output; appended to.
    """

    dag_id: str
    run_id: str
    try_number: int
    map_index: int
    arguments: dict[str, Any]
    connections: dict[str, str]
    log: Path
    adopts: bool = False
    waits: bool = False


@dataclass(frozen=True)
class TaskEnd:
    """How a task ended without being killed.

    :param summary: what the operator, or the command, returned; None if it failed.
    :param error: the class of its exception, by name.
    :param message: of its exception.
    """

    summary: dict[str, Any] | None = None
    error: str = ""
    message: str = ""
