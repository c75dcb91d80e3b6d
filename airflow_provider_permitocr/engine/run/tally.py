"""What a run has done so far, in numbers; counted by many threads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

from airflow_provider_permitocr.engine.ledger.calls import Attempt
from airflow_provider_permitocr.engine.observer import NOBODY, Observers
from airflow_provider_permitocr.permit.status import Status


class Tally:
    """Counts images that this run has finished.

    :param lock: held only briefly.
    :param observers: are notified of each image.
    """

    def __init__(self, lock: threading.Lock, observers: Observers = NOBODY) -> None:
        self._state, self._observers = lock, observers
        self.statuses: Counter[str] = Counter()
        self.error_codes: Counter[str] = Counter()
        self.flags: Counter[str] = Counter()
        self.reused = self.doubtful = 0

    def add(self, attempt: Attempt, flags: Iterable[str] = ()) -> None:
        """Count one image.

        :param flags: what is remarkable about its fields.
        """
        with self._state:
            self.statuses[attempt.status.value] += 1
            if attempt.status is not Status.RECOGNIZED and attempt.error_code:
                self.error_codes[attempt.error_code] += 1
            self.reused += attempt.reused_from is not None
            self.flags.update(flags)
            self.doubtful += attempt.is_doubtful is True
        self._observers.on_image(attempt.status.value)

    def snapshot(self) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
        """Return images by status, those without fields by error code, and flags, as of one moment."""
        with self._state:
            return dict(self.statuses), dict(self.error_codes), dict(self.flags)

    def reject(self, code: str) -> None:
        """Count one image that is refused only for its key."""
        with self._state:
            self.statuses[Status.REJECTED.value] += 1
            self.error_codes[code] += 1
        self._observers.on_image(Status.REJECTED.value)

    @property
    def done(self) -> int:
        """How many images have come to an end."""
        with self._state:
            return self.statuses.total()

    @property
    def failed(self) -> int:
        """How many of them have no fields."""
        with self._state:
            return self.error_codes.total()
