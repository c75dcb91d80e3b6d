"""How the values that a DAG author writes are shown."""

from __future__ import annotations

from dataclasses import MISSING, fields
from enum import StrEnum
from typing import Any, Final

#: Metadata of a field that may contain personal data: only names are shown, not values.
NAMES_ONLY: Final = {"permitocr_names_only": True}


class Readable:
    """Shows given values, without defaults: in a repr, and as the task's rendered field in the UI."""

    def __repr__(self) -> str:
        given = (
            f"{name}={str(value)!r}" if isinstance(value, StrEnum) else f"{name}={value!r}"
            for name, value in self.serialize().items()
        )
        return f"{type(self).__name__}({', '.join(given)})"

    def serialize(self) -> dict[str, Any]:
        """Return values that differ from their defaults, by name; Airflow 3.3 shows fields this way."""
        given = {}
        # What is written without its name comes first, as it does in a DAG.
        for each in sorted(fields(self), key=lambda each: bool(each.kw_only)):  # type: ignore[arg-type]
            value = getattr(self, each.name)
            default = each.default_factory() if each.default_factory is not MISSING else each.default
            if value != default:
                is_hidden = NAMES_ONLY.items() <= each.metadata.items()
                given[each.name] = dict.fromkeys(value, "***") if is_hidden else value
        return given


def is_template(value: object) -> bool:
    """Return whether this value is a template, which is only known at run time."""
    if hasattr(value, "iter_references"):  # an upstream task's result, or a mapped group's argument
        return True
    return isinstance(value, str) and any(mark in value for mark in ("{{", "{%", "{#"))
