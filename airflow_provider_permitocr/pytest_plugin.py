"""For tests of DAGs: an emulator in place of the API, and a switch that refuses real calls.

pytest loads this by the entry point ``pytest11``, in every project that shares the environment. So it imports
nothing before a test asks for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from airflow_provider_permitocr.emulator.running import RunningEmulator

_SETTING: Final = "AIRFLOW__PERMITOCR__EMULATOR_ONLY"
_OPTION: Final = "permitocr_emulator_only"
_MARKER: Final = "permitocr_emulator"
_WAS: Final = pytest.StashKey["str | None"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the switch, as an option of pytest's configuration."""
    parser.addini(
        _OPTION,
        "refuse connections of type tencentcloud to anything but an emulator on this machine",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Turn the switch on, for this process and those that it starts; describe the marker."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(conn_id=..., **options): which connection leads to the emulator of this test, and its"
        " EmulatorOptions",
    )
    config.stash[_WAS] = os.environ.get(_SETTING)
    if config.getini(_OPTION):
        os.environ[_SETTING] = "True"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the environment as it was."""
    was = config.stash[_WAS]
    if was is None:
        os.environ.pop(_SETTING, None)
    else:
        os.environ[_SETTING] = was


@pytest.fixture
def permitocr_emulator(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningEmulator]:
    """Start an emulator, and have the connection ``tencentcloud_default`` lead to it during this test.

    It answers from the labels of drawn specimens, at once and without a quota, and bills nobody. The marker
    ``permitocr_emulator`` sets another ``conn_id``, and ``EmulatorOptions`` by their names. During the test
    every other host is refused.

    :raises pytest.fail.Exception: when the packages of the extra ``emulator`` are missing.
    """
    try:
        from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY
        from airflow_provider_permitocr.emulator.options import EmulatorOptions as Options
        from airflow_provider_permitocr.emulator.running import start_emulator
    except ImportError as error:
        pytest.fail(
            f"permitocr_emulator needs {error.name}: install the provider with its extra emulator",
            pytrace=False,
        )
    marker = request.node.get_closest_marker(_MARKER)
    wanted: dict[str, Any] = {"engine": "label", "quota": 0, "conn_id": "tencentcloud_default"}
    wanted |= marker.kwargs if marker else {}
    conn_id = wanted.pop("conn_id")
    with start_emulator(Options(**wanted)) as emulator:
        connection = {
            "conn_type": "tencentcloud",
            "host": emulator.url,
            "login": DEFAULT_SECRET_ID,
            "password": DEFAULT_SECRET_KEY,
        }
        monkeypatch.setenv(_SETTING, "True")
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
        yield emulator
