"""The plugin is light, and Airflow takes all of it."""

from __future__ import annotations

import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.api_fastapi.app import RESERVED_URL_PREFIXES
from airflow.api_fastapi.core_api.datamodels.plugins import PluginResponse

import airflow_provider_permitocr
from airflow_provider_permitocr import MainlandPermitOcrOperator
from airflow_provider_permitocr.plugins.page_link import PREFIX, PageLink
from airflow_provider_permitocr.plugins.permitocr_plugin import PermitOcrPlugin

_ROOT = Path(airflow_provider_permitocr.__file__).parents[1]
_KEY = SimpleNamespace(
    dag_id="a/b & c", run_id="manual__2026-11-30T00:00:00+00:00", task_id="recognize", map_index=3
)


def entry_point() -> str:
    setup = ConfigParser()
    setup.read(_ROOT / "setup.cfg")
    return setup["options.entry_points"]["airflow.plugins"].split("=")[1].strip()


def test_the_entry_point_leads_to_the_plugin() -> None:
    assert entry_point() == f"{PermitOcrPlugin.__module__}:{PermitOcrPlugin.__name__}"


@pytest.mark.slow
def test_the_plugins_module_imports_neither_fastapi_nor_the_operator() -> None:
    program = (
        "import sys, airflow.sdk, airflow.providers.common.compat.sdk as sdk\n"
        "sdk.AirflowPlugin, sdk.BaseOperatorLink, sdk.conf\n"
        "before = set(sys.modules)\n"
        f"import {PermitOcrPlugin.__module__} as plugin\n"
        "plugin.PermitOcrPlugin()\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    added = set(done.stdout.split())
    assert {
        name for name in added if name.split(".")[0] in ("fastapi", "starlette", "pandas", "sqlalchemy")
    } == set()
    assert {name for name in added if ".operators" in name or ".engine" in name} == set()


def test_airflow_accepts_all_views_and_the_app() -> None:
    plugin = PermitOcrPlugin()
    shown: dict[str, Any] = {
        name: []
        for name, field in PluginResponse.model_fields.items()
        if field.is_required() and name not in ("name", "source")
    }
    shown |= {"external_views": plugin.external_views, "operator_extra_links": ["Permit OCR"]}
    menu, *tabs = PluginResponse(name="permitocr", source="here", **shown).external_views
    assert (menu.category, menu.destination, menu.url_route) == ("browse", "nav", "permitocr")
    # Airflow 3.4 has tabs, and has to keep what binds them to the operator.
    kept = [(tab.destination, tab.model_dump()["applies_to"]) for tab in tabs]
    assert kept == [(view["destination"], view["applies_to"]) for view in plugin.external_views[1:]]
    assert plugin.fastapi_apps[0]["url_prefix"] == PREFIX
    assert not any(PREFIX.startswith(reserved) for reserved in RESERVED_URL_PREFIXES)


def test_a_tab_appears_where_airflow_can_keep_it_off_other_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    destinations = []
    for version in ("3.2.0", "3.3.2", "3.4.0b2", "3.4.0", "4.0.0"):
        monkeypatch.setattr("airflow.__version__", version)
        tabs = [view for view in PermitOcrPlugin().external_views if view["destination"] != "nav"]
        destinations.append([(tab["destination"], tab["applies_to"]["operator_name"]) for tab in tabs])
    tab = [("task_instance", ["MainlandPermitOcrOperator"])]
    assert destinations == [[], [], tab, tab, tab]


@pytest.mark.parametrize(
    ("base_url", "path"),
    [("http://airflow.example.com", ""), ("https://example.com/team/air/", "/team/air"), ("/", "")],
)
def test_addresses_begin_with_the_path_of_airflow(
    monkeypatch: pytest.MonkeyPatch, base_url: str, path: str
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    assert PermitOcrPlugin().external_views[0]["href"] == f"{path}/permitocr/ui/index.html"
    assert PermitOcrPlugin().external_views[0]["icon"] == f"{path}/permitocr/ui/icon.svg"
    assert PageLink().get_link(None, ti_key=_KEY).startswith(f"{path}/permitocr/open?")


def test_the_button_names_the_run_whatever_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://localhost")
    assert PageLink().get_link(None, ti_key=_KEY).partition("?")[2] == (
        "dag_id=a%2Fb+%26+c&run_id=manual__2026-11-30T00%3A00%3A00%2B00%3A00&task_id=recognize&map_index=3"
    )


def test_the_button_is_matched_with_the_operator_by_its_two_names() -> None:
    (named,) = PageLink.operators
    assert (named.__module__, named.__name__) == (
        MainlandPermitOcrOperator.__module__,
        MainlandPermitOcrOperator.__name__,
    )


def test_the_operator_has_the_button_for_its_subclasses() -> None:
    (link,) = MainlandPermitOcrOperator.operator_extra_links
    assert link.name == PageLink.name
