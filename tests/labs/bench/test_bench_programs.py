"""Programs that the benchmark starts by their names are there: it runs for minutes before it would say so."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from labs.bench import measures

_FILES = sorted(Path(measures.__path__[0]).glob("*.py"))
#: The one that `_run` is given is named where `_run` is called.
_BY_NAME = ("run_program", "start_program", "_run")


def _named(file: Path) -> Iterator[str]:
    """Name the programs that a file of measures starts."""
    known = vars(importlib.import_module(f"{measures.__name__}.{file.stem}"))
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _BY_NAME:
            name = next((each for each in node.args if isinstance(each, ast.Constant | ast.JoinedStr)), None)
            if name is not None:
                yield eval(compile(ast.Expression(name), str(file), "eval"), dict(known))


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_programs_that_are_started_by_name_are_there(file: Path) -> None:
    assert [name for name in _named(file) if find_spec(f"labs.bench.programs.{name}") is None] == []


def test_programs_are_found_in_the_measures() -> None:
    assert len([name for file in _FILES for name in _named(file)]) > 8
