from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.ledger.calls import RunIdentity, new_call_id

#: From 1970 to the year 9999.
times = st.floats(0, 253_402_300_799)


def test_call_ids_differ_even_within_a_millisecond() -> None:
    assert len({new_call_id(1_800_000_000.0) for _ in range(1000)}) == 1000


@given(times)
def test_call_ids_are_32_hexadecimal_digits(now: float) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", new_call_id(now))


@given(times, times)
def test_call_ids_sort_by_the_millisecond_they_were_made_in(one: float, other: float) -> None:
    earlier, later = sorted((one, other))
    if int(earlier * 1000) < int(later * 1000):
        assert new_call_id(earlier) < new_call_id(later)


def test_a_dag_run_of_a_task_has_one_name_for_all_its_shards_and_tries() -> None:
    one = RunIdentity("dag", "task", "run", map_index=0, try_number=1)
    other = RunIdentity("dag", "task", "run", map_index=3, try_number=2)
    assert one.name == other.name == "dag/task/run"


def test_a_run_outside_of_airflow_has_no_name() -> None:
    assert RunIdentity().name == ""
