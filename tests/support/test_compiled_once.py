from __future__ import annotations

import pytest
from sqlalchemy.dialects import sqlite

from tests.support import compiled_once


def test_a_dialect_may_remember_something_while_another_thread_looks_at_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dialect = sqlite.dialect()

    def remember(_kind: object, name: str) -> bool:
        setattr(dialect, f"_{name}_of_another_thread", True)
        return False

    monkeypatch.setattr(compiled_once, "_is_setting", remember)
    key = (dialect, "SELECT 1")
    assert compiled_once._by_settings(key) == (type(dialect), frozenset(), "SELECT 1")
