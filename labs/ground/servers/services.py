"""What runs beside the demo, as one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from labs.ground.servers.airflow_api import AirflowApi
from labs.ground.servers.airflow_services import AirflowServices
from labs.ground.servers.emulator_service import EmulatorService

_READY_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Services:
    """Airflow's processes with a client for them, and the emulator."""

    airflow: AirflowServices
    api: AirflowApi
    emulator: EmulatorService

    def check(self) -> None:
        """Find out whether all of it runs.

        :raises ServiceError: a process has ended.
        """
        self.airflow.check()
        self.emulator.check()

    def wait_until(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Wait for a condition while everything runs.

        :param otherwise: the error's message if the condition is not met.
        :raises ServiceError: a process has ended.
        :raises TimeoutError: the condition is not met in time.
        """
        deadline = time.monotonic() + _READY_SECONDS
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{otherwise} after {_READY_SECONDS:.0f} s")
            time.sleep(0.3)
