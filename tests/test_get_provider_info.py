from __future__ import annotations

import json
from importlib.metadata import entry_points, version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from airflow.providers_manager import ProvidersManager

from airflow_provider_permitocr import __version__
from airflow_provider_permitocr.get_provider_info import get_provider_info
from airflow_provider_permitocr.wiring.connections.extras import KNOWN_EXTRAS
from airflow_provider_permitocr.wiring.connections.tencentcloud import CONNECTION_TYPE

if TYPE_CHECKING:
    from airflow.api_fastapi.core_api.datamodels.connections import ConnectionHookMetaData


@pytest.fixture(scope="module")
def form() -> ConnectionHookMetaData:
    """What the UI's connection form is made of."""
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    forms = {each.connection_type: each for each in HookMetaService.hook_meta_data()}
    return forms[CONNECTION_TYPE]


@pytest.mark.parametrize("schema", ["provider_info.schema.json"])
def test_the_metadata_is_valid_by_airflows_own_schema(schema: str) -> None:
    rules = json.loads(files("airflow").joinpath(schema).read_text())
    jsonschema.validate(get_provider_info(), rules)


def test_airflow_finds_the_provider_by_its_entry_point() -> None:
    (entry,) = [each for each in entry_points(group="apache_airflow_provider") if "permitocr" in each.value]
    assert entry.load()() == get_provider_info()
    assert "airflow-provider-permitocr" in ProvidersManager().providers  # type: ignore[no-untyped-call]


def test_the_connection_type_leads_to_the_hook() -> None:
    hook = ProvidersManager().hooks[CONNECTION_TYPE]  # type: ignore[no-untyped-call]
    assert hook is not None
    assert hook.hook_name == "Tencent Cloud"
    assert hook.connection_id_attribute_name == "tencentcloud_conn_id"
    assert hook.connection_testable


def test_the_form_shows_every_field_that_is_read(form: ConnectionHookMetaData) -> None:
    assert form.hook_name == "Tencent Cloud"
    assert form.extra_fields is not None
    assert set(form.extra_fields) == KNOWN_EXTRAS


def test_the_form_names_the_keys_as_the_console_does(form: ConnectionHookMetaData) -> None:
    shown: Any = form.standard_fields
    assert shown.login.title == "SecretId"
    assert shown.password.title == "SecretKey"


def test_airflow_takes_up_the_command() -> None:
    from airflow.cli.cli_parser import ALL_COMMANDS_DICT

    subcommands: Any = ALL_COMMANDS_DICT["permitocr"].subcommands  # type: ignore[union-attr]
    assert [each.name for each in subcommands] == [
        "check",
        "plan",
        "adopt",
        "prune",
        "rebuild",
        "redo",
        "erase",
    ]


def test_there_is_one_version() -> None:
    assert get_provider_info()["versions"] == [__version__] == [version("airflow-provider-permitocr")]
