"""Where the page is, and the button that leads to it from a task instance. Light: tasks import it, too."""

from __future__ import annotations

from typing import Any, ClassVar, Final
from urllib.parse import urlencode, urlsplit

from airflow.providers.common.compat.sdk import BaseOperatorLink, conf

#: Below Airflow's base URL. Airflow reserves what begins with /api/v2, /ui, /execution, /auth and /pluginsv2.
PREFIX: Final = "/permitocr"
#: The page within Airflow's own: /plugin/permitocr.
ROUTE: Final = "permitocr"
PAGE_NAME: Final = "Permit OCR"
OPERATOR: Final = "MainlandPermitOcrOperator"


def base_path() -> str:
    """Return the path that Airflow is at, as ``base_url`` has it: ``/team/airflow``, or nothing."""
    return urlsplit(str(conf.get("api", "base_url", fallback="/"))).path.rstrip("/")


class _Named:
    """Stands in for an operator, which Airflow compares by these two names: importing it takes a second."""

    def __init__(self, module: str, name: str) -> None:
        self.__module__, self.__name__ = module, name


class PageLink(BaseOperatorLink):
    """The button "Permit OCR" of a task instance: opens the page of this run."""

    name = PAGE_NAME
    # A plugin's link is asked for with each request, so that it is there while the task runs.
    operators: ClassVar[list[Any]] = [
        _Named("airflow_provider_permitocr.operators.mainland_permit_ocr", OPERATOR)
    ]

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002
        """Return the address that picks the page in Airflow's frame, or alone."""
        query = {
            "dag_id": ti_key.dag_id,
            "run_id": ti_key.run_id,
            "task_id": ti_key.task_id,
            "map_index": ti_key.map_index,
        }
        return f"{base_path()}{PREFIX}/open?{urlencode(query)}"
