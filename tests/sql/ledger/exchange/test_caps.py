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

from airflow_provider_permitocr.engine.ledger.calls import CallIntent, Grant, RunIdentity
from airflow_provider_permitocr.errors import ConfigurationError
from airflow_provider_permitocr.options.budget import Budget
from airflow_provider_permitocr.sql.ledger.exchange.caller import Allowance
from airflow_provider_permitocr.sql.ledger.view import SqlLedgerView
from tests.sql.ledger.ground import EACH_LEDGER, LEDGER, NOT_PREPARED, execute, identity, prepare_once
from tests.sql.ledger.processes import NOON, LedgerTime, Process, a_run, calls_of, counted, unsent
from tests.support.kept_ledger import KeptLedgers

GRANTED, CAPPED, DAY_CAPPED = Grant.GRANTED, Grant.CAPPED, Grant.DAY_CAPPED


@EACH_LEDGER
def test_as_many_are_granted_as_the_cap_leaves(database: sa.Engine) -> None:
    process = Process(database, budget=Budget(max_calls=3))
    assert process.ask("a", "b") == [GRANTED, GRANTED]
    assert process.ask("c", "d", "e") == [GRANTED, CAPPED, CAPPED]
    assert process.ask("f") == [CAPPED]
    assert len(calls_of(database)) == 3


@EACH_LEDGER
def test_cap_of_a_run_is_shared_by_its_shards_and_tries(database: sa.Engine) -> None:
    budget = Budget(max_calls=3)
    runs = [a_run("run 1", 0), a_run("run 1", 1), a_run("run 1", 0, 2), a_run("run 1", 3)]
    shards = [Process(database, run, budget) for run in runs[:2]]
    granted = [shard.ask(f"{place}") for place, shard in enumerate(shards)]
    later = [Process(database, run, budget) for run in runs[2:]]
    granted += [shard.ask(f"later {place}") for place, shard in enumerate(later)]
    assert granted == [[GRANTED]] * 3 + [[CAPPED]]
    assert Process(database, a_run("run 2", 0), budget).ask("z") == [GRANTED]


@EACH_LEDGER
def test_cap_of_a_day_is_shared_by_all_runs_of_an_account(database: sa.Engine, time: LedgerTime) -> None:
    budget = Budget(max_calls_per_day=2)
    assert Process(database, budget=Budget()).ask("uncapped") == [GRANTED]
    assert Process(database, budget=budget).ask("a", "b") == [GRANTED, DAY_CAPPED]
    assert Process(database, budget=budget, account="200").ask("c", "d", "e") == [
        GRANTED,
        GRANTED,
        DAY_CAPPED,
    ]


@EACH_LEDGER
def test_next_day_by_the_ledgers_clock_has_its_own(database: sa.Engine, time: LedgerTime) -> None:
    time.set(datetime.fromisoformat("2026-01-31T15:59:59Z"))
    process = Process(database, budget=Budget(max_calls_per_day=1, timezone="Asia/Shanghai"))
    assert process.ask("a", "b") == [GRANTED, DAY_CAPPED]
    time.pass_seconds(1)
    assert process.ask("c", "d") == [GRANTED, DAY_CAPPED]
    assert counted(database, "day") == {"2026-01-31": 1, "2026-02-01": 1}


def test_days_of_a_ledger_have_one_timezone(database: sa.Engine) -> None:
    Process(database, budget=Budget(max_calls_per_day=1, timezone="Asia/Shanghai"))
    Process(database, budget=Budget(timezone="Europe/Berlin"))
    with pytest.raises(ConfigurationError, match="counts days in Asia/Shanghai"):
        Process(database, budget=Budget(max_calls_per_day=1, timezone="UTC"))


@EACH_LEDGER
def test_cap_of_zero_grants_nothing(database: sa.Engine) -> None:
    assert Process(database, budget=Budget(max_calls=0)).ask("a") == [CAPPED]
    assert calls_of(database) == []


def test_call_that_was_not_sent_is_given_back_once(database: sa.Engine) -> None:
    process = Process(database, budget=Budget(max_calls=2, max_calls_per_day=2))
    first = process.intent("a")
    process.open(first, process.intent("b"))
    for _ in range(3):
        process.close(*unsent(first, first))
    assert process.ask("c", "d") == [GRANTED, CAPPED]
    assert [(row.image_key, row.code, row.billed) for row in calls_of(database)] == [
        ("a", "NotSent", 0),
        ("b", None, None),
        ("c", None, None),
    ]


def test_call_that_a_journal_says_was_not_sent_is_given_back_once(database: sa.Engine) -> None:
    dead = Process(database, a_run(), budget=Budget(max_calls=1))
    intent = dead.intent("a")
    dead.open(intent)
    process = Process(database, a_run(try_number=2), budget=Budget(max_calls=1))
    for _ in range(2):
        assert list(process.ledger.hand_in(unsent(intent))) == []
    assert process.ask("b", "c") == [GRANTED, CAPPED]


@EACH_LEDGER
def test_call_given_back_by_a_journal_and_by_its_own_process_is_given_back_once(database: sa.Engine) -> None:
    slow = Process(database, a_run("run 1", 0), budget=Budget(max_calls=4))
    intents = [slow.intent(key) for key in "abcd"]
    slow.open(*intents)
    other = Process(database, a_run("run 1", 1), budget=Budget(max_calls=4))
    assert list(other.ledger.hand_in(unsent(*intents[:3]))) == []
    slow.close(*unsent(*intents[:3]))
    assert counted(database, "run") == {"dag/task/run 1": 1}
    assert other.ask("e", "f", "g", "h") == [GRANTED, GRANTED, GRANTED, CAPPED]


@EACH_LEDGER
def test_what_is_given_back_is_granted_in_the_same_exchange(database: sa.Engine) -> None:
    process = Process(database, budget=Budget(max_calls=1))
    first = process.intent("a")
    process.open(first)
    exchanged = process.ledger.exchange([process.intent("b"), process.intent("c")], unsent(first), [])
    assert exchanged.grants == (GRANTED, CAPPED)


@EACH_LEDGER
def test_call_is_given_back_to_the_day_that_it_was_counted_on(database: sa.Engine, time: LedgerTime) -> None:
    time.set(datetime.fromisoformat("2026-01-31T23:59:59Z"))
    process = Process(database)
    first = process.intent("a")
    process.open(first)
    time.pass_seconds(5)
    process.ledger.exchange([process.intent("b")], unsent(first), [])
    assert counted(database, "day") == {"2026-01-31": 0, "2026-02-01": 1}


@EACH_LEDGER
def test_failed_and_throttled_calls_count(database: sa.Engine) -> None:
    process = Process(database, budget=Budget(max_calls=2))
    assert process.call("a", "RequestLimitExceeded", billed=False) is GRANTED
    assert process.call("a", "InternalError", billed=False) is GRANTED
    assert process.call("a") is CAPPED


@EACH_LEDGER
def test_image_that_is_held_uses_up_nothing(database: sa.Engine) -> None:
    Process(database).ask("a")
    process = Process(database, budget=Budget(max_calls=1))
    assert process.ask("a", "b", "c") == [Grant.HELD, GRANTED, CAPPED]


@EACH_LEDGER
def test_runs_without_a_name_have_a_cap_each(database: sa.Engine) -> None:
    budget = Budget(max_calls=1)
    for key in "ab":
        assert Process(database, RunIdentity(), budget).ask(key, f"{key} again") == [GRANTED, CAPPED]


def test_runs_with_long_names_are_told_apart(database: sa.Engine) -> None:
    budget = Budget(max_calls=1)
    for key, run_id in (("a", "r" * 240 + "1"), ("b", "r" * 240 + "2")):
        run = RunIdentity("d" * 200, "t" * 200, run_id)
        assert Process(database, run, budget).ask(key, f"{key} again") == [GRANTED, CAPPED]


@EACH_LEDGER
def test_deleting_the_counters_starts_them_again(database: sa.Engine) -> None:
    process = Process(database, budget=Budget(max_calls=1))
    process.ask("a")
    execute(database, "DELETE FROM permit_ocr_counters")
    assert process.ask("b", "c") == [GRANTED, CAPPED]


@pytest.mark.slow
@NOT_PREPARED
@EACH_LEDGER
def test_a_plan_sees_what_the_caps_leave_without_changing_anything(
    database: sa.Engine, time: LedgerTime
) -> None:
    def left(budget: Budget) -> int | None:
        view = SqlLedgerView(database, LEDGER, identity=identity(), run=a_run("run 1", 5))
        view.look("text")
        return view.calls_left(budget, "100")

    day, run = Budget(max_calls_per_day=10), Budget(max_calls=10)
    assert (left(day), left(run), left(Budget())) == (10, 10, None)
    assert not sa.inspect(database).get_table_names()
    Process(database, a_run("run 1", 0)).ask("a", "b")
    Process(database, a_run("run 2", 0)).ask("c")
    before = counted(database, "day")
    assert (left(day), left(run)) == (7, 8)
    assert counted(database, "day") == before == {"2026-01-31": 3}


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


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(day_cap=_caps, run_cap=_caps, steps=_steps)
def test_any_sequence_of_exchanges_is_granted_exactly_what_is_left(
    new_sqlite: Callable[[], sa.Engine],
    session_ledgers: KeptLedgers,
    day_cap: int | None,
    run_cap: int | None,
    steps: list[Any],
) -> None:
    engine = new_sqlite()
    model = _Model(day_cap, run_cap)
    budget = Budget(max_calls_per_day=day_cap, max_calls=run_cap)
    runs = [a_run("run 1", 0), a_run("run 1", 1), a_run("run 2", 0), a_run("run 2", 3)]
    with pytest.MonkeyPatch.context() as monkeypatch:
        time = LedgerTime(monkeypatch)
        prepare_once(session_ledgers, monkeypatch)
        session_ledgers.copy_sqlite(engine)
        processes = [Process(engine, run, budget) for run in runs]
        opened: list[list[CallIntent]] = [[], [], [], []]
        keys = (f"image {number}" for number in itertools.count())
        for place, asked, not_sent, seconds in steps:
            process, run = processes[place], runs[place].run_id
            given_up, opened[place] = opened[place][:not_sent], opened[place][not_sent:]
            for intent in given_up:
                del model.calls[intent.call_id]
            intents = [process.intent(next(keys)) for _ in range(asked)]
            left = model.left(str(time.now.date()), run)
            grants = process.ledger.exchange(intents, unsent(*given_up), []).grants
            expected = asked if left is None else min(asked, left)
            assert list(grants[:expected]) == [GRANTED] * expected
            assert {CAPPED, DAY_CAPPED}.issuperset(grants[expected:])
            for intent in intents[:expected]:
                model.calls[intent.call_id] = (str(time.now.date()), run)
            opened[place] += intents[:expected]
            time.set(time.now + timedelta(seconds=seconds))
    counts = Counter(each for call in model.calls.values() for each in call)
    by_day, by_run = counted(engine, "day"), counted(engine, "run")
    assert {day: calls for day, calls in by_day.items() if calls} == {
        day: calls for day, calls in counts.items() if not day.startswith("run")
    }
    assert {run[-5:]: calls for run, calls in by_run.items() if calls} == {
        run: calls for run, calls in counts.items() if run.startswith("run")
    }
    engine.dispose()


@pytest.mark.slow
def test_runs_that_ask_at_the_same_moment_keep_to_the_cap_and_to_one_call_per_image(
    database: sa.Engine, time: LedgerTime
) -> None:
    rounds = 8
    budget = Budget(max_calls_per_day=rounds * 4 - 3)
    processes = [Process(database, budget=budget) for _ in range(4)]
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
    assert sorted(row.image_key for row in calls_of(database)) == sorted(granted)
    assert counted(database, "day") == {str(NOON.date()): rounds * 4 - 3}


def test_allowance_says_only_what_has_changed() -> None:
    allowance = Allowance(Budget(), "run r", {"run r": 3, "day a": 5, "day b": 7})
    assert allowance.take("day a")
    assert allowance.counted == {"day a": 6, "run r": 4}
