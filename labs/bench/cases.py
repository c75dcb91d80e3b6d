"""The cases of the parts *quota* and *instead*: which DAGs share an account, and with how many slots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WAREHOUSE: Final = "warehouse"
TASK_PER_IMAGE: Final = "task_per_image"


@dataclass(frozen=True)
class BenchDag:
    """A DAG of one task, mapped over shards or not.

    :param share: its part of the case's images, from 0 to 1.
    :param slots: pool slots of each task.
    """

    dag_id: str
    share: float
    slots: int
    shards: int = 1

    @property
    def images(self) -> str:
        """Its image list."""
        return f"{self.dag_id}_images"

    @property
    def permits(self) -> str:
        """Its result table."""
        return f"{self.dag_id}_permits"


@dataclass(frozen=True)
class Case:
    """DAGs that run at the same time with one account and in one pool of 20.

    :param name: of the pool too; the account's connection is ``account_NAME``.
    :param strangers_rate: calls per second that somebody outside Airflow makes with the same account.
    """

    name: str
    title: str
    dags: tuple[BenchDag, ...]
    strangers_rate: int = 0

    @property
    def account(self) -> str:
        """Airflow connection of its account."""
        return f"account_{self.name}"


ONE_TASK: Final = Case("one_task", "one task of 20 slots", (BenchDag("one_task", 1, 20),))
FOUR_SHARDS: Final = Case("four_shards", "4 shards of 5 slots", (BenchDag("four_shards", 1, 5, shards=4),))
TWO_DAGS: Final = Case(
    "two_dags", "two DAGs of 10 slots", (BenchDag("two_dags_a", 0.5, 10), BenchDag("two_dags_b", 0.5, 10))
)
STRANGER: Final = Case(
    "stranger", "one task beside a stranger's 5/s", (BenchDag("stranger", 1, 20),), strangers_rate=5
)
QUOTA_CASES: Final = (ONE_TASK, FOUR_SHARDS, TWO_DAGS, STRANGER)
