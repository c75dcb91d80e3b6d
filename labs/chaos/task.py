"""One try of a task, and how it ended, as they go to its process and come back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Task:
    """One try of a task instance.

    :param arguments: of the operator, but for its id.
    :param connections: Airflow connections in JSON, by id.
    :param adopts: it does what ``airflow permitocr adopt`` does, in place of a run.
    :param waits: once it could begin, it waits until it is told to.
    :param log: file that takes what the process prints; appended to.
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
    """How a task ended by itself.

    :param summary: what the operator, or the command, returned; None where it failed.
    :param error: the class of its exception, by name.
    :param message: of its exception.
    """

    summary: dict[str, Any] | None = None
    error: str = ""
    message: str = ""
