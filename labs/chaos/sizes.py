"""How much is broken, in full and in short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Sizes:
    """How much to break.

    :param images: in the lists of most scenarios.
    :param kills: of one run with -9.
    :param outages: of the database, in one run.
    :param outage_seconds: length of each.
    :param long_outage_seconds: length of one that no run waits for: twice as long as a call holds its image.
    :param distant_images: in the list of shards with a distant database.
    :param drivers_cap: most calls of a run of eight processes.
    :param identity_images: in the list whose table, connection and ledger are renamed.
    :param faulty_images: in the list that encounters all kinds of faults.
    :param fault_at: number of the first call that fails because of the account.
    :param cap: most calls of a run.
    :param airflow_images: in each list that runs under Airflow, long enough to be disturbed halfway.
    :param trigger_images: in the list of each kind of trigger; four days share it.
    :param airflow_only: situations under Airflow; empty: all.
    :param role_seconds: lifetime of temporary keys.
    """

    images: int = 2000
    kills: int = 100
    outages: int = 5
    outage_seconds: float = 20.0
    long_outage_seconds: float = 150.0
    distant_images: int = 2000
    drivers_cap: int = 400
    identity_images: int = 100
    faulty_images: int = 1000
    fault_at: int = 500
    cap: int = 500
    airflow_images: int = 500
    trigger_images: int = 40
    airflow_only: tuple[str, ...] = ()
    role_seconds: int = 30

    @property
    def most_images(self) -> int:
        """As many as any scenario lists."""
        lists = (self.images, self.faulty_images, self.distant_images, self.identity_images)
        return max(*lists, 2 * self.drivers_cap)


SHORT: Final = Sizes(
    images=300,
    kills=8,
    outages=2,
    outage_seconds=4.0,
    long_outage_seconds=8.0,
    distant_images=300,
    drivers_cap=80,
    identity_images=20,
    faulty_images=100,
    fault_at=100,
    cap=100,
    airflow_images=120,
    trigger_images=12,
    airflow_only=(
        *("account_fault", "task_killed", "worker_stopped", "two_at_once"),
        *("trigger_daily", "trigger_interval", "trigger_cli"),
        *("trigger_rest", "trigger_asset", "trigger_backfill"),
    ),
    role_seconds=3,
)
