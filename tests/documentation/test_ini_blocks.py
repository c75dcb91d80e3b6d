"""Configuration is what pytest and Airflow know of this provider."""

from __future__ import annotations

from configparser import ConfigParser

import pytest

from airflow_provider_permitocr import pytest_plugin
from airflow_provider_permitocr.get_provider_info import get_provider_info
from tests.documentation.blocks import Shown, blocks


@pytest.mark.parametrize("shown", blocks("ini"), ids=str)
def test_its_options_are_known(shown: Shown) -> None:
    read = ConfigParser()
    read.read_string(shown.text)
    parser = pytest.Parser(_ispytest=True)
    pytest_plugin.pytest_addoption(parser)
    known = {"pytest": set(parser._inidict)}
    known |= {name: set(each["options"]) for name, each in get_provider_info()["config"].items()}
    assert read.sections()
    for section in read.sections():
        assert set(read[section]) <= known[section]
        assert all(value in ("true", "True") for value in read[section].values())
