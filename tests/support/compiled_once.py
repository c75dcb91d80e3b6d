"""Statements that are compiled once for all engines of a test session: each test makes its own engines."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Hashable, Iterator, MutableMapping
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.util import LRUCache

#: Of all databases together; SQLAlchemy keeps 500 per engine.
_STATEMENTS: Final = 10_000
#: What each dialect makes out of its settings as it begins. Any other object that dialects don't have in
#: common keeps them from sharing.
_MADE_FROM_SETTINGS: Final = frozenset(
    {"identifier_preparer", "type_compiler", "type_compiler_instance", "colspecs", "_psycopg_adapters_map"}
)
_compiled: Final[LRUCache[Hashable, Any]] = LRUCache(_STATEMENTS)


def share_compiled_statements() -> None:
    """Have all engines share what they compile, as far as their dialects have the same settings."""
    shared = _SharedCache()
    sa.Engine._compiled_cache = property(lambda engine: shared, lambda engine, own: None)  # type: ignore[assignment]


class _SharedCache(MutableMapping[tuple[Any, ...], Any]):
    """Compiled statements by SQLAlchemy's keys, with a dialect's settings in place of the dialect itself."""

    def __getitem__(self, key: tuple[Any, ...]) -> Any:
        return _compiled[_by_settings(key)]

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return _compiled.get(_by_settings(key), default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        _compiled[_by_settings(key)] = compiled

    def __delitem__(self, key: tuple[Any, ...]) -> None:
        del _compiled[_by_settings(key)]

    def __iter__(self) -> Iterator[Any]:
        return iter(_compiled)

    def __len__(self) -> int:
        return len(_compiled)


def _by_settings(key: tuple[Any, ...]) -> Hashable:
    dialect, *statement = key
    kind = cast("Hashable", type(dialect))
    # Copied in one step: a dialect remembers things, also while another thread looks at it.
    attributes = vars(dialect).copy().items()
    settings = frozenset(each for each in attributes if _is_setting(kind, each[0]))
    return kind, settings, *statement


@functools.cache
def _is_setting(kind: Hashable, name: str) -> bool:
    """Return whether an attribute decides how a dialect compiles, and is no more than remembered by it."""
    is_remembered = hasattr(inspect.getattr_static(kind, name, None), "__get__")
    return not is_remembered and name not in _MADE_FROM_SETTINGS
