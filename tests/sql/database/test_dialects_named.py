"""What is known of a database stands in its own file, and nobody else asks which one it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_permitocr
from airflow_provider_permitocr.sql.dialects.known import DATABASES

_PACKAGE = Path(airflow_provider_permitocr.__file__).parent
_NAMES = {name.lower() for each in DATABASES for name in (*each.dialects, *each.drivers)}
_NAMED = re.compile(
    rf"(?<![a-z])({'|'.join(sorted(_NAMES | {'postgres', 'mysqlclient'}))})(?![a-z])", re.IGNORECASE
)
_FACTS = {Path(f"{type(each).__module__.partition('.')[2].replace('.', '/')}.py") for each in DATABASES}
_OWN = _FACTS | {path.parent / "drivers" / path.name for path in _FACTS}
#: DuckDB speaks in PostgreSQL's words, and its dialect is derived from that.
_WORDS_OF = {"DuckDB": ("postgresql",)}
_LIST = Path("sql/dialects/known.py")
#: Names the loggers of their drivers, as of all libraries whose lines hold people's data.
_LOGGERS = Path("log_privacy.py")


def names_in_code(source: str) -> Iterator[str]:
    """Names of databases in strings and imports; docstrings and comments may explain by example."""
    tree = ast.parse(source)
    docstrings = {id(found) for node in ast.walk(tree) if (found := _docstring(node)) is not None}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in docstrings:
                yield from _NAMED.findall(text)
            case ast.Import(names=names):
                yield from (found for name in names for found in _NAMED.findall(name.name))
            case ast.ImportFrom(module=str(module), names=names) if not module.startswith(_PACKAGE.name):
                yield from _NAMED.findall(" ".join([module, *(name.name for name in names)]))


def _docstring(node: ast.AST) -> ast.expr | None:
    match node:
        case ast.Module(body=[ast.Expr(value), *_]) | ast.ClassDef(body=[ast.Expr(value), *_]):
            return value
        case ast.FunctionDef(body=[ast.Expr(value), *_]) | ast.AsyncFunctionDef(body=[ast.Expr(value), *_]):
            return value
        case _:
            return None


@pytest.mark.slow
def test_no_file_names_a_database_but_its_own_and_the_list_of_them() -> None:
    found = {
        str(path.relative_to(_PACKAGE)): sorted(set(names))
        for path in sorted(_PACKAGE.rglob("*.py"))
        if path.relative_to(_PACKAGE) not in {*_OWN, _LIST, _LOGGERS}
        and (names := list(names_in_code(path.read_text(encoding="utf-8"))))
    }
    assert found == {}


def test_each_database_names_no_other() -> None:
    for database in DATABASES:
        own = {
            name.lower()
            for name in (*database.dialects, *database.drivers, *_WORDS_OF.get(database.title, ()))
        }
        path = _PACKAGE / Path(f"{type(database).__module__.partition('.')[2].replace('.', '/')}.py")
        for each in (path, path.parent / "drivers" / path.name):
            if each.exists():
                others = {name.lower() for name in names_in_code(each.read_text(encoding="utf-8"))} - own
                assert others & _NAMES == set(), each
