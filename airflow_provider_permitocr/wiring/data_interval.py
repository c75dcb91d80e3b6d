"""The data interval of a run, which ``since`` and ``until`` of a list are mostly templates of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_permitocr.options.readable import is_template

if TYPE_CHECKING:
    from airflow_provider_permitocr.options.lists.image_list import ImageTable

INTERVAL: Final = ("data_interval_start", "data_interval_end")


def with_interval(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the context with an interval that renders to nothing, if the run has none.

    Runs that are triggered without a logical date, or by an asset, have none.
    """
    return {**context, **{name: "" for name in INTERVAL if context.get(name) is None}}


def whole_if_empty(given: ImageTable, rendered: ImageTable) -> ImageTable:
    """Replace a window of zero length by the whole list.

    A cron schedule such as ``@daily`` gives each run an interval that ends when it begins. In a whole list,
    too, images that the ledger has settled are skipped.

    :param given: the list, with its templates.
    """
    is_templated = is_template(given.since) and is_template(given.until)
    if is_templated and rendered.since and rendered.since == rendered.until:
        return replace(rendered, since="", until="")
    return rendered
