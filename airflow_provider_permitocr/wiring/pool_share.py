"""The part of the account's rate that a task has by its pool slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_permitocr.wiring.connections.tencentcloud import requests_per_slot

if TYPE_CHECKING:
    from airflow.sdk import Connection


def pool_share(connection: Connection, pool_slots: int | None) -> float:
    """Return the requests per second that so many slots stand for.

    :param pool_slots: by default those of the task that is running, if any, or else 1.
    :raises ConfigurationError: when the connection's ``requests_per_slot`` is wrong.
    """
    return (pool_slots or _slots_of_running_task() or 1) * requests_per_slot(connection)


def _slots_of_running_task() -> int | None:
    from airflow.sdk import get_current_context

    try:
        return int(get_current_context()["ti"].task.pool_slots)
    except RuntimeError:
        return None
