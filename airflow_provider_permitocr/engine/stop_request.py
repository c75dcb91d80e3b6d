"""The request to end early, which an operator makes when Airflow kills its task."""

from __future__ import annotations

import threading
from typing import Any, Self


class StopRequest(threading.Event):
    """An event that operators can have: Airflow copies DAGs, and a lock cannot be copied.

    A copy is another task's, so it begins without the request.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return type(self)()
