"""Airflow's plugin: a page about runs of this provider's operator.

Every task process imports this module, so nothing heavy is imported here: FastAPI alone takes 0.2 seconds.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin

from airflow_provider_permitocr.plugins.page_link import (
    OPERATOR,
    PAGE_NAME,
    PREFIX,
    ROUTE,
    PageLink,
    base_path,
)


class PermitOcrPlugin(AirflowPlugin):
    """The page, its entry in the menu, its tab and its button."""

    name = "permitocr"
    operator_extra_links = [PageLink()]  # noqa: RUF012  as Airflow declares it

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The app that serves the page; asked for by the API server alone."""
        from airflow_provider_permitocr.plugins.app import app

        return [{"app": app, "url_prefix": PREFIX, "name": PAGE_NAME}]

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Where Airflow's UI shows the page: in the menu, and where it can tell tasks apart, as a tab."""
        page = f"{base_path()}{PREFIX}/ui"
        icons = {"icon": f"{page}/icon.svg", "icon_dark_mode": f"{page}/icon-dark.svg"}
        menu = {
            "name": PAGE_NAME,
            "href": f"{page}/index.html",
            "destination": "nav",
            "url_route": ROUTE,
            "category": "browse",
            **icons,
        }
        return [menu, *self._tabs(page, icons)]

    @staticmethod
    def _tabs(page: str, icons: dict[str, str]) -> list[dict[str, Any]]:
        if not _tells_tasks_apart():
            return []
        placed = "dag_id={DAG_ID}&run_id={RUN_ID}&task_id={TASK_ID}&map_index={MAP_INDEX}"
        tab = {
            "name": PAGE_NAME,
            "href": f"{page}/run.html?tab=1&{placed}",
            "destination": "task_instance",
            "url_route": f"{ROUTE}-run",
            "applies_to": {"operator_name": [OPERATOR]},
        }
        return [tab | icons]


def _tells_tasks_apart() -> bool:
    """Whether this Airflow shows a tab for some tasks alone; before 3.4, it would be on every task."""
    from airflow import __version__
    from packaging.version import Version

    return Version(Version(__version__).base_version) >= Version("3.4")
