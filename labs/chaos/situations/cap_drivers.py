"""A cap on calls that eight processes share, through every driver."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from airflow_provider_permitocr.engine.ledger.calls import NOT_SENT
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.options.lists.shard import shards
from labs.chaos.databases import Database, mariadb_database, postgres_database
from labs.chaos.evidence import counted_calls
from labs.chaos.scene import LEDGER, RATE, Scene, Setting, Stage
from labs.chaos.verdict import (
    exactly,
    failed_for_good,
    ledger_equals_journal,
    none_of,
    not_played,
    of_situation,
    paid_twice,
    succeeded,
)
from labs.ground.figures import Figure

_PROCESSES: Final = 8
_DRIVERS: Final = ("psycopg", "psycopg2")
#: Of the cap; more than it allows.
_LISTED: Final = 1.5


def cap_drivers(stage: Stage) -> list[Figure]:
    """Let eight processes share a cap with each driver; then refuse a driver that autocommits."""
    figures = []
    for driver in _DRIVERS:
        stage.postgres.create_database(f"ledger_{driver}")
        ledger = postgres_database(
            stage.postgres, f"ledger_{driver}", sqlalchemy_scheme=f"postgresql+{driver}"
        )
        figures += of_situation(driver, _play(stage, driver, ledger))
    with ExitStack() as stack:
        shared = stack.enter_context(mariadb_database("cap"))
        another = stack.enter_context(mariadb_database("autocommit"))
        if shared is None or another is None:
            return [*figures, not_played("a MariaDB server")]
        figures += of_situation("PyMySQL", _play(stage, "pymysql", shared))
        figures += of_situation("autocommit", _refused(stage, another))
    return figures


def _play(stage: Stage, driver: str, ledger: Database) -> list[Figure]:
    cap = stage.sizes.drivers_cap
    budget = Budget(max_calls=cap)
    with Scene(stage, f"cap_{driver}", Setting(int(_LISTED * cap), ledger=ledger)) as scene:
        tasks = [
            scene.start(map_index=number, shard=shard, budget=budget, max_per_second=RATE / _PROCESSES)
            for number, shard in enumerate(shards(_PROCESSES))
        ]
        ends = [task.end() for task in tasks]
        evidence, counted = scene.evidence(), counted_calls(scene.ledger, "run %")
    granted = sum(each.code != NOT_SENT for each in evidence.entries)
    last = next((end for end in ends if end.error), ends[-1])
    return [
        succeeded("all tasks", last),
        exactly("calls", len(evidence.calls), cap),
        exactly("granted", granted, cap),
        exactly("the counter of the run", counted, granted),
        none_of("answers paid for again", paid_twice(evidence)),
        *ledger_equals_journal(evidence),
    ]


def _refused(stage: Stage, ledger: Database) -> list[Figure]:
    setting = Setting(stage.sizes.identity_images, ledger=ledger)
    with Scene(stage, "cap_autocommit", setting) as scene:
        scene.connect(LEDGER, ledger.airflow_connection(autocommit=True))
        end = scene.start(budget=Budget(max_calls=1)).end()
        calls = len(scene.calls())
    return [failed_for_good("the run", end, "commit"), none_of("calls", calls)]
