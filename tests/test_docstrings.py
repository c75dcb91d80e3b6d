"""Everything public says what it is for; what begins with an underscore, dunders included, need not.

Nor need functions within functions, which nobody can call from outside, and empty ``__init__.py`` files.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_permitocr

PACKAGE = Path(airflow_provider_permitocr.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public(node: Documented, name: str) -> Iterator[tuple[str, Documented]]:
    """Walk a module and its classes, by their full names."""
    yield name, node
    if not isinstance(node, ast.Module | ast.ClassDef):
        return
    for child in node.body:
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if not child.name.startswith("_"):
            yield from public(child, f"{name}.{child.name}")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_everything_public_has_a_docstring(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if not text.strip() and path.name == "__init__.py":
        return
    found = public(ast.parse(text), path.stem)
    assert [name for name, node in found if not (ast.get_docstring(node) or "").strip()] == []
