"""Which tests `--quick` runs: those that take a moment, each on one database of those it runs on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

#: All tests that were collected, before any was left out.
COLLECTED: Final = pytest.StashKey[tuple[pytest.Item, ...]]()
#: Marks of tests that take longer than a moment.
LONG: Final = ("slow", "whole_runs")
#: A database or a driver, by its name in the tests' parameters, and the one that stands for it where a test
#: runs on both with all else equal.
STAND_INS: Final[Mapping[str, str]] = {
    "psycopg2": "psycopg",
    "postgresql+psycopg2": "postgresql+psycopg",
    "pgbouncer": "psycopg",
    "mysqlclient": "pymysql",
    "mysqldb": "pymysql",
    "mariadb": "sqlite",
    "duckdb": "psycopg",
}
#: Databases that the tests of a file run on in turn, where each runs on both with all else equal.
IN_TURN: Final = ("psycopg", "sqlite")


def quick_selection(items: Iterable[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Return the tests that a quick run selects, and those that it leaves out."""
    fast: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        (left_out if any(map(item.get_closest_marker, LONG)) else fast).append(item)
    cases = {_case(item, _parameters(item)) for item in fast}
    selected: list[pytest.Item] = []
    for item in fast:
        (left_out if _is_stood_for(item, cases) else selected).append(item)
    passed_by = _passed_by_in_turn(selected)
    left_out += [item for item in selected if item in passed_by]
    return [item for item in selected if item not in passed_by], left_out


def _passed_by_in_turn(items: Iterable[pytest.Item]) -> set[pytest.Item]:
    """Return the cases of tests that another case, on a database whose turn it is, stands for."""
    alike: dict[tuple[_Case, str], dict[str, pytest.Item]] = defaultdict(dict)
    for item in items:
        parameters = _parameters(item)
        for name, value in parameters.items():
            if isinstance(value, str) and value in IN_TURN:
                alike[_case(item, parameters | {name: IN_TURN}), name][value] = item
    turns: dict[Path, int] = defaultdict(int)
    passed_by: set[pytest.Item] = set()
    for cases in alike.values():
        if passed_by.isdisjoint(cases.values()) and len(cases) == len(IN_TURN):
            file = cases[IN_TURN[0]].path
            passed_by.update(cases.values())
            passed_by.remove(cases[IN_TURN[turns[file] % len(IN_TURN)]])
            turns[file] += 1
    return passed_by


_Case = tuple[str, tuple[tuple[str, str], ...]]


def _case(item: pytest.Item, parameters: Mapping[str, Any]) -> _Case:
    test = item.nodeid.partition("[")[0]
    return test, tuple(sorted((name, repr(value)) for name, value in parameters.items()))


def _parameters(item: pytest.Item) -> dict[str, Any]:
    call = getattr(item, "callspec", None)
    return {} if call is None else dict(call.params)


def _is_stood_for(item: pytest.Item, cases: set[_Case]) -> bool:
    """Return whether another case differs in the database alone, and stands for this one."""
    parameters = _parameters(item)
    return any(
        isinstance(value, str)
        and value in STAND_INS
        and _case(item, parameters | {name: STAND_INS[value]}) in cases
        for name, value in parameters.items()
    )
