"""Calls a DAG author's callbacks once most calls of a cap are used. Calls to the API never wait for them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from airflow_provider_permitocr.engine.observer import RunObserver

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_permitocr.options.budget import NearCap

#: What a callback finds in its context, beside what Airflow has put there.
CONTEXT_KEY: Final = "permit_ocr_budget"
_END_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


class CapNotice(RunObserver):
    """Calls each callback with the task's context, in a separate thread.

    :param callbacks: functions or notifiers.
    """

    def __init__(self, callbacks: Sequence[Callable[[Context], Any]], context: Context) -> None:
        self._callbacks, self._context = callbacks, context
        self._threads: list[threading.Thread] = []

    def on_near_cap(self, near: NearCap) -> None:
        """Start the callbacks."""
        if self._callbacks:
            thread = threading.Thread(target=self._call, args=[near], name="permitocr-notice", daemon=True)
            thread.start()
            self._threads.append(thread)

    def wait(self, seconds: float = _END_SECONDS) -> None:
        """Wait at most this long for running callbacks."""
        for thread in self._threads:
            thread.join(seconds)

    def _call(self, near: NearCap) -> None:
        facts = {"cap": near.name, "limit": near.limit, "calls": near.calls}
        context = cast("Context", {**self._context, CONTEXT_KEY: facts})
        for callback in self._callbacks:
            try:
                callback(context)
            except Exception as error:  # noqa: BLE001  of any notifier
                _log.warning(
                    "on_budget_callback failed (%s); the run itself is not affected", type(error).__name__
                )
