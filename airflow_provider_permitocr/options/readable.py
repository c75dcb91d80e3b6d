"""How the values that a DAG author writes are shown, and how operators render those inside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from enum import StrEnum
from typing import Any, ClassVar, Final

#: Metadata of a field that may contain personal data: only names are shown, not values.
NAMES_ONLY: Final = {"permitocr_names_only": True}


class Readable:
    """Shows given values, without defaults: in a repr, and as the task's rendered field in the UI.

    :cvar template_fields: names of the fields that may be templates.
    """

    template_fields: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        given = (
            f"{name}={str(value)!r}" if isinstance(value, StrEnum) else f"{name}={value!r}"
            for name, value in self._given().items()
        )
        return f"{type(self).__name__}({', '.join(given)})"

    def serialize(self) -> dict[str, Any]:
        """Return values that differ from their defaults, by name, as JSON has them.

        Airflow shows a task's rendered fields this way. Airflow 3.2 fails a task where one is no JSON.
        """
        return {name: _as_json(value) for name, value in self._given().items()}

    def _given(self) -> dict[str, Any]:
        given = {}
        # What is written without its name comes first, as it does in a DAG.
        for each in sorted(fields(self), key=lambda each: bool(each.kw_only)):  # type: ignore[arg-type]
            value = getattr(self, each.name)
            default = each.default_factory() if each.default_factory is not MISSING else each.default
            if value != default:
                is_hidden = NAMES_ONLY.items() <= each.metadata.items()
                given[each.name] = dict.fromkeys(value, "***") if is_hidden else value
        return given


def _as_json(value: Any) -> Any:
    if isinstance(value, Readable):
        return value.serialize()
    if isinstance(value, Mapping):
        return {str(name): _as_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(each) for each in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)


def is_template(value: object) -> bool:
    """Return whether this value is a template, which is only known at run time."""
    if hasattr(value, "iter_references"):  # an upstream task's result, or a mapped group's argument
        return True
    return isinstance(value, str) and any(mark in value for mark in ("{{", "{%", "{#"))


def rendered_fields(content: Readable, render: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the templated fields of an option, rendered. The option, which all runs share, stays unchanged.

    :param render: renders one value, as Airflow does.
    """
    return {name: render(getattr(content, name)) for name in content.template_fields}


def require_rendered(content: Readable, rendered: Mapping[str, Any]) -> None:
    """Refuse names that would pass for templates, which are not checked: a trigger's values may do so.

    :raises ValueError: naming the option.
    """
    for name, value in rendered.items():
        if is_template(value):
            raise ValueError(
                f"{type(content).__name__}: {name} still contains a template after rendering; values that"
                " it is rendered from must not contain templates"
            )
