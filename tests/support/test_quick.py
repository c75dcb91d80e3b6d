"""What a quick run leaves out, and that it passes no room by."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import cast

import pytest

from tests.support.quick import COLLECTED, IN_TURN, STAND_INS, quick_selection

#: Folders whose tests all need a browser, which takes seconds to start and may be missing.
_OF_BROWSER = {Path(__file__).parents[1] / "plugins" / "browser"}


def _folders(items: Iterable[pytest.Item]) -> set[Path]:
    return {item.path.parent for item in items}


def _whole_folders(items: Iterable[pytest.Item]) -> set[Path]:
    """Return the folders of which every file was collected."""
    files = {item.path for item in items}
    return {folder for folder in _folders(items) if files.issuperset(folder.glob("test_*.py"))}


@pytest.mark.slow
def test_every_folder_has_tests_in_a_quick_run(request: pytest.FixtureRequest) -> None:
    collected = request.config.stash[COLLECTED]
    selected, _ = quick_selection(collected)
    assert sorted(_whole_folders(collected) - _folders(selected) - _OF_BROWSER) == []


@pytest.mark.slow
def test_slow_tests_are_left_out(request: pytest.FixtureRequest) -> None:
    assert isinstance(request.node, pytest.Item)
    selected, left_out = quick_selection([request.node])
    assert (selected, left_out) == ([], [request.node])


@pytest.mark.parametrize("database", IN_TURN)
@pytest.mark.parametrize("case", range(3))
def test_databases_take_turns_and_every_case_runs_once(
    request: pytest.FixtureRequest, case: int, database: str
) -> None:
    collected = request.config.stash[COLLECTED]
    every = [item for item in collected if item.nodeid.partition("[")[0] in request.node.nodeid]
    selected, left_out = quick_selection(every)
    assert sorted(selected + left_out, key=every.index) == every
    ran = dict(sorted(_cases(selected)))
    assert len(ran) == len(selected)
    assert set(ran) == {case for case, _ in _cases(every)}
    if len(every) == 3 * len(IN_TURN):
        assert list(ran.values()) == [IN_TURN[0], IN_TURN[1], IN_TURN[0]]


def _cases(items: Iterable[pytest.Item]) -> list[tuple[int, str]]:
    found = [item.callspec.params for item in items if isinstance(item, pytest.Function)]
    return [(cast("int", each["case"]), cast("str", each["database"])) for each in found]


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_a_driver_is_left_out_where_another_stands_for_it(
    request: pytest.FixtureRequest, driver: str
) -> None:
    both = [item for item in request.session.items if item.nodeid.partition("[")[0] in request.node.nodeid]
    selected, _ = quick_selection(both)
    assert [item.nodeid for item in selected] == [
        item.nodeid for item in both if not item.nodeid.endswith("[psycopg2]")
    ]


@pytest.mark.parametrize("driver", sorted(STAND_INS))
def test_a_driver_that_nothing_stands_for_is_kept(request: pytest.FixtureRequest, driver: str) -> None:
    assert isinstance(request.node, pytest.Item)
    assert quick_selection([request.node]) == ([request.node], [])
