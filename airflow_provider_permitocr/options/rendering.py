"""How operators render the values inside an option, and check what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_permitocr.options.readable import Readable, is_template


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
