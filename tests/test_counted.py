"""Counts in words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from airflow_provider_permitocr.counted import many

PACKAGE = Path(__file__).parents[1] / "airflow_provider_permitocr"
#: A count and a plural right after it, in a line that people read.
PLURAL = re.compile(r"(?:\x00|%d) (?:images|rows|calls|files|readings|keys|runs|portraits)\b")
#: Such as "3 of 9 rows", where the plural belongs to the total, or a rate.
OF_TOTAL = re.compile(
    r"at \x00 calls per|\x00 images/s|the last \x00 calls"
    r"|(?:\x00|%d) of (?:its |the |today's )?(?:\x00|%d) \w+"
)


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (1234, "1,234 images")]
)
def test_only_one_is_singular(count: int, words: str) -> None:
    assert many(count, "image") == words


def test_other_plurals_are_given() -> None:
    assert [many(count, "entry was", "entries were") for count in (1, 3)] == ["1 entry was", "3 entries were"]


def _texts(path: Path) -> list[str]:
    """Return the texts of a file, with NUL in place of each value."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            found.append(
                "".join(str(each.value) if isinstance(each, ast.Constant) else "\0" for each in node.values)
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


@pytest.mark.slow
def test_counts_in_messages_have_one_home() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)}: {text!r}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if "emulator" not in path.parts
        for text in _texts(path)
        if PLURAL.search(OF_TOTAL.sub("", text))
    ]
    assert wrong == []
