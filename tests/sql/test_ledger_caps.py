"""Caps: never exceeded by one, and everything under them granted, whoever asks."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_permitocr.core.calls import CallIntent, Grant, RunIdentity
from airflow_provider_permitocr.core.spending import Spending
from airflow_provider_permitocr.sql.budget import calls_so_far
from airflow_provider_permitocr.sql.calls_table import CallsTable
from tests.sql.ledger_calls import NOON, Process, TimeOfDay, counted, rows_of

GRANTED, CAPPED = Grant.GRANTED, Grant.CAPPED
CALLS = CallsTable("calls", conn_id="lake")


def _shard(run: str, map_index: int, try_number: int = 1) -> RunIdentity:
    return RunIdentity("dag", "task", run, map_index, try_number)


def test_as_many_are_granted_as_the_cap_leaves(database: sa.Engine) -> None:
    process = Process(database, spending=Spending(max_calls=3))
    assert process.ask("a", "b") == [GRANTED, GRANTED]
    assert process.ask("c", "d", "e") == [GRANTED, CAPPED, CAPPED]
    assert process.ask("f") == [CAPPED]
    assert len(rows_of(database)) == 3


def test_cap_of_a_run_is_shared_by_its_shards_and_tries(database: sa.Engine) -> None:
    spending = Spending(max_calls=3)
    runs = [_shard("run 1", 0), _shard("run 1", 1), _shard("run 1", 0, 2), _shard("run 1", 3)]
    shards = [Process(database, run, spending) for run in runs]
    assert [shard.ask(f"{place}") for place, shard in enumerate(shards)] == [[GRANTED]] * 3 + [[CAPPED]]
    assert Process(database, _shard("run 2", 0), spending).ask("z") == [GRANTED]


def test_cap_of_a_day_is_shared_by_all_runs_of_an_account(database: sa.Engine) -> None:
    spending = Spending(max_calls_per_day=2)
    assert Process(database, spending=Spending()).ask("uncapped") == [GRANTED]
    assert Process(database, spending=spending).ask("a", "b") == [GRANTED, CAPPED]
    assert Process(database, spending=spending, account="200").ask("c", "d", "e") == [
        GRANTED,
        GRANTED,
        CAPPED,
    ]


def test_next_day_has_its_own(database: sa.Engine) -> None:
    process = Process(database, spending=Spending(max_calls_per_day=1, timezone="Asia/Shanghai"))
    process.clock.now = datetime.fromisoformat("2026-01-31T15:59:59Z")
    assert process.ask("a", "b") == [GRANTED, CAPPED]
    process.clock.pass_seconds(1)
    assert process.ask("c", "d") == [GRANTED, CAPPED]


def test_exchange_over_midnight_counts_each_call_on_its_day(database: sa.Engine) -> None:
    process = Process(database, spending=Spending(max_calls_per_day=1))
    process.clock.now = datetime.fromisoformat("2026-01-31T23:59:59Z")
    before = [process.intent("a"), process.intent("b")]
    process.clock.pass_seconds(1)
    after = [process.intent("c"), process.intent("d")]
    assert process.ledger.exchange([*before, *after], []) == [GRANTED, CAPPED, GRANTED, CAPPED]
    assert counted(database, "day") == {"2026-01-31": 1, "2026-02-01": 1}


def test_cap_of_zero_grants_nothing(database: sa.Engine) -> None:
    assert Process(database, spending=Spending(max_calls=0)).ask("a") == [CAPPED]
    assert rows_of(database) == []


def test_call_that_was_not_sent_is_given_back_once(database: sa.Engine) -> None:
    process = Process(database, spending=Spending(max_calls=2, max_calls_per_day=2))
    first = process.intent("a")
    process.ledger.exchange([first, process.intent("b")], [])
    for _ in range(3):
        process.ledger.exchange([], process.unsent(first, first))
    assert process.ask("c", "d") == [GRANTED, CAPPED]
    assert [(row.image_key, row.code, row.billed) for row in rows_of(database)] == [
        ("a", "NotSent", 0),
        ("b", None, None),
        ("c", None, None),
    ]


def test_what_is_given_back_is_granted_in_the_same_exchange(database: sa.Engine) -> None:
    process = Process(database, spending=Spending(max_calls=1))
    first = process.intent("a")
    process.ledger.exchange([first], [])
    assert process.ledger.exchange([process.intent("b"), process.intent("c")], process.unsent(first)) == [
        GRANTED,
        CAPPED,
    ]


def test_call_is_given_back_to_the_day_that_it_was_counted_on(database: sa.Engine) -> None:
    process = Process(database)
    process.clock.now = datetime.fromisoformat("2026-01-31T23:59:59Z")
    first = process.intent("a")
    process.ledger.exchange([first], [])
    process.clock.pass_seconds(5)
    process.ledger.exchange([process.intent("b")], process.unsent(first))
    assert counted(database, "day") == {"2026-01-31": 0, "2026-02-01": 1}


def test_failed_and_throttled_calls_count(database: sa.Engine) -> None:
    process = Process(database, spending=Spending(max_calls=2))
    assert process.call("a", "RequestLimitExceeded", billed=False) is GRANTED
    assert process.call("a", "InternalError", billed=False) is GRANTED
    assert process.call("a") is CAPPED


def test_image_called_elsewhere_uses_up_nothing(database: sa.Engine) -> None:
    Process(database).ask("a")
    process = Process(database, spending=Spending(max_calls=1))
    assert process.ask("a", "b", "c") == [Grant.CALLED_ELSEWHERE, GRANTED, CAPPED]


def test_runs_without_a_name_have_a_cap_each(database: sa.Engine) -> None:
    spending = Spending(max_calls=1)
    for key in "ab":
        assert Process(database, RunIdentity(), spending).ask(key, f"{key} again") == [GRANTED, CAPPED]


def test_runs_with_long_names_are_told_apart(database: sa.Engine) -> None:
    spending = Spending(max_calls=1)
    for key, run_id in (("a", "r" * 240 + "1"), ("b", "r" * 240 + "2")):
        run = RunIdentity("d" * 200, "t" * 200, run_id)
        assert Process(database, run, spending).ask(key, f"{key} again") == [GRANTED, CAPPED]


def test_deleting_the_budget_starts_it_anew(database: sa.Engine) -> None:
    process = Process(database, spending=Spending(max_calls=1))
    process.ask("a")
    with database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM calls_budget")
    assert process.ask("b", "c") == [GRANTED, CAPPED]


def test_what_counts_can_be_read_without_a_ledger_and_with_one(database: sa.Engine) -> None:
    def read() -> tuple[int, int]:
        with database.connect() as connection:
            so_far = calls_so_far(
                connection, CALLS, account="100", run=_shard("run 1", 5), spending=Spending(), now=NOON
            )
        return so_far.day, so_far.run

    assert read() == (0, 0)
    Process(database, _shard("run 1", 0)).ask("a", "b")
    Process(database, _shard("run 2", 0)).ask("c")
    assert read() == (3, 2)


@dataclass
class _Model:
    """Counts by hand."""

    day_cap: int | None
    run_cap: int | None
    calls: dict[str, tuple[str, str]] = field(default_factory=dict)

    def left(self, day: str, run: str) -> int | None:
        counts = Counter(each for call in self.calls.values() for each in call)
        rooms = [(self.day_cap, counts[day]), (self.run_cap, counts[run])]
        free = [cap - used for cap, used in rooms if cap is not None]
        return max(0, min(free)) if free else None


_caps = st.none() | st.integers(0, 8)
_steps = st.lists(
    st.tuples(
        st.integers(0, 3),  # which process asks
        st.integers(0, 5),  # for how many calls
        st.integers(0, 4),  # of how many of its open calls it says that they were not sent
        st.sampled_from([0, 0, 0, 3600 * 7]),  # seconds until the next
    ),
    max_size=12,
)


@pytest.fixture(scope="session")
def new_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], sa.Engine]:
    folder, numbers = tmp_path_factory.mktemp("ledgers"), itertools.count()
    return lambda: sa.create_engine(f"sqlite:///{Path(folder) / f'{next(numbers)}.db'}")


@settings(deadline=None, max_examples=60)
@given(day_cap=_caps, run_cap=_caps, steps=_steps)
def test_any_sequence_of_exchanges_is_granted_exactly_what_is_left(
    new_sqlite: Callable[[], sa.Engine], day_cap: int | None, run_cap: int | None, steps: list[Any]
) -> None:
    engine = new_sqlite()
    model = _Model(day_cap, run_cap)
    clock, spending = TimeOfDay(), Spending(max_calls_per_day=day_cap, max_calls=run_cap)
    runs = [_shard("run 1", 0), _shard("run 1", 1), _shard("run 2", 0), _shard("run 2", 0, 2)]
    processes = [Process(engine, run, spending, clock=clock) for run in runs]
    opened: list[list[CallIntent]] = [[], [], [], []]
    keys = (f"image {number}" for number in itertools.count())
    for place, asked, unsent, seconds in steps:
        process, run = processes[place], runs[place].run_id
        not_sent, opened[place] = opened[place][:unsent], opened[place][unsent:]
        for intent in not_sent:
            del model.calls[intent.call_id]
        intents = [process.intent(next(keys)) for _ in range(asked)]
        left = model.left(str(clock.now.date()), run)
        grants = process.ledger.exchange(intents, process.unsent(*not_sent))
        expected = asked if left is None else min(asked, left)
        assert list(grants) == [GRANTED] * expected + [CAPPED] * (asked - expected)
        for intent in intents[:expected]:
            model.calls[intent.call_id] = (str(clock.now.date()), run)
        opened[place] += intents[:expected]
        clock.now += timedelta(seconds=seconds)
    counts = Counter(each for call in model.calls.values() for each in call)
    by_day, by_run = counted(engine, "day"), counted(engine, "run")
    assert {day: calls for day, calls in by_day.items() if calls} == {
        day: calls for day, calls in counts.items() if not day.startswith("run")
    }
    assert {run[-5:]: calls for run, calls in by_run.items() if calls} == {
        run: calls for run, calls in counts.items() if run.startswith("run")
    }
    engine.dispose()


def test_runs_that_ask_at_the_same_moment_keep_to_the_cap_and_to_one_call_per_image(
    database: sa.Engine,
) -> None:
    rounds = 4 if database.dialect.name == "duckdb" else 12  # which refuses all but one of those that meet
    spending = Spending(max_calls_per_day=rounds * 4 - 3)
    processes = [Process(database, spending=spending, patience_seconds=60) for _ in range(4)]
    barrier = threading.Barrier(len(processes))

    def ask(process: Process) -> list[str]:
        granted = []
        for number in range(rounds):
            barrier.wait(60)
            keys = [f"{number}/{each}" for each in range(4)]
            grants = process.ask(*keys)
            granted += [key for key, grant in zip(keys, grants, strict=True) if grant is GRANTED]
        return granted

    with ThreadPoolExecutor(len(processes)) as pool:
        granted = [key for keys in pool.map(ask, processes) for key in keys]
    assert len(granted) == len(set(granted)) == rounds * 4 - 3
    assert sorted(row.image_key for row in rows_of(database)) == sorted(granted)
    assert counted(database, "day") == {"2026-01-31": rounds * 4 - 3}
