"""What the pages show in code blocks and in `spans` of code, and where."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
#: The documents of the product.
PAGES: Final = (
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "dbt/permit_ocr/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)

_BLOCK: Final = re.compile(
    r"^(?P<indent> *)```(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S
)
_SPAN: Final = re.compile(r"(?<!`)`([^`]+)`(?!`)")


@dataclass(frozen=True)
class Shown:
    """A block or a span of code.

    :param page: the file, from the repository's root.
    :param line: of its first line of code.
    :param language: of a block; '' for a span.
    """

    page: str
    line: int
    text: str
    language: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> Iterator[Shown]:
    """Read the code blocks of a page, in its order."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("text")) + 1
        code = textwrap.dedent(found["text"])
        yield Shown(page.relative_to(ROOT).as_posix(), line, code, found["language"].strip())


def spans_of(page: Path) -> Iterator[Shown]:
    """Read the spans of code of a page; what stands on two lines is shown on one."""
    text = page.read_text(encoding="utf-8")
    prose = _BLOCK.sub(lambda block: "\n" * block[0].count("\n"), text)
    for found in _SPAN.finditer(prose):
        line = prose.count("\n", 0, found.start()) + 1
        yield Shown(page.relative_to(ROOT).as_posix(), line, " ".join(found[1].split()))


BLOCKS: Final = tuple(block for page in PAGES for block in blocks_of(page))
#: Not those of the changes, which name what there was.
SPANS: Final = tuple(span for page in PAGES if page.name != "CHANGELOG.md" for span in spans_of(page))


def blocks(language: str) -> list[Shown]:
    """Return the blocks of a language."""
    return [block for block in BLOCKS if block.language == language]
