"""How much is broken, in full and in short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Sizes:
    """How much is broken.

    :param images: in the lists of most scenarios.
    :param kills: of one run with -9.
    :param outages: of the database, in one run.
    :param outage_seconds: length of each.
    :param faulty_images: in the list that meets all kinds of faults.
    :param fault_at: number of the call from which on the account is at fault.
    :param cap: most calls of a run.
    :param airflow_images: in each list that runs under Airflow; it can be disturbed in its middle.
    :param airflow_only: what happens under Airflow; all of it if empty.
    :param role_seconds: lifetime of temporary keys.
    """

    images: int = 2000
    kills: int = 100
    outages: int = 5
    outage_seconds: float = 20.0
    faulty_images: int = 1000
    fault_at: int = 500
    cap: int = 500
    airflow_images: int = 500
    airflow_only: tuple[str, ...] = ()
    role_seconds: int = 30


SHORT: Final = Sizes(
    images=300,
    kills=8,
    outages=2,
    outage_seconds=4.0,
    faulty_images=100,
    fault_at=100,
    cap=100,
    airflow_images=120,
    airflow_only=("account_fault", "task_killed", "worker_stopped", "two_at_once"),
    role_seconds=3,
)
