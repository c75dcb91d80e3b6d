"""Pages that are generated say what the code says now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.documentation.generated import PAGES


@pytest.mark.parametrize(("file", "page"), PAGES.items(), ids=lambda value: getattr(value, "stem", ""))
def test_a_generated_page_is_up_to_date(file: Path, page: Callable[[], str]) -> None:
    written = file.read_text(encoding="utf-8").rstrip("\n")
    assert written == page().rstrip("\n"), "run `python -m tests.documentation.generated`"
