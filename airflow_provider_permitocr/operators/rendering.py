"""What operators check of values that Airflow has rendered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_permitocr.options.readable import Readable, is_template


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
