"""Which tests `--quick` runs: those not marked slow, each on the databases that no other stands for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import pytest

#: All tests that were collected, before any was left out.
COLLECTED: Final = pytest.StashKey[tuple[pytest.Item, ...]]()
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


def quick_selection(items: Iterable[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Return the tests that a quick run selects, and those that it leaves out."""
    fast: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        (left_out if item.get_closest_marker("slow") else fast).append(item)
    cases = {_case(item, _parameters(item)) for item in fast}
    selected: list[pytest.Item] = []
    for item in fast:
        (left_out if _is_stood_for(item, cases) else selected).append(item)
    return selected, left_out


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
