"""For tests of DAGs: an emulator in place of the API, and a switch that refuses real calls.

pytest loads this by the entry point ``pytest11``, in every project that shares the environment. So it imports
nothing before a test asks for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest

if TYPE_CHECKING:
    from airflow_provider_permitocr.emulator.options import EmulatorOptions
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

    :raises pytest.fail.Exception: when the packages of the extra ``emulator`` are missing, or the marker asks
        for what there is not.
    """
    try:
        from airflow_provider_permitocr.emulator.running import start_emulator
    except ImportError as error:
        pytest.fail(
            f"permitocr_emulator needs {error.name}: install the provider with its extra emulator",
            pytrace=False,
        )
    conn_id, options = _wanted(request.node.get_closest_marker(_MARKER))
    try:
        emulator = start_emulator(options)
    except ValueError as error:
        _fail(str(error))
    with emulator:
        monkeypatch.setenv(_SETTING, "True")
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(_connection(emulator)))
        yield emulator


def _wanted(marker: pytest.Mark | None) -> tuple[str, EmulatorOptions]:
    """Return the connection's id and the emulator's options that a test asks for."""
    from airflow_provider_permitocr.emulator.options import EmulatorOptions

    if marker and marker.args:
        _fail("it takes keywords only, such as conn_id=")
    wanted: dict[str, Any] = {"engine": "label", "quota": 0, "conn_id": "tencentcloud_default"}
    known = {"conn_id", *(field.name for field in fields(EmulatorOptions))}
    given = marker.kwargs if marker else {}
    for name in given.keys() - known:
        near = "".join(f"; did you mean {each}?" for each in get_close_matches(name, known, 1))
        _fail(f"it takes conn_id and the fields of EmulatorOptions, not {name}{near}")
    wanted |= given
    conn_id = wanted.pop("conn_id")
    if not isinstance(conn_id, str):
        _fail(f"conn_id must be a connection's id, not a {type(conn_id).__name__}")
    try:
        return conn_id, EmulatorOptions(**wanted)
    except (TypeError, ValueError) as error:
        _fail(f"{', '.join(given)}: {error}")


def _connection(emulator: RunningEmulator) -> dict[str, Any]:
    """Describe a connection to an emulator, with its first key pair."""
    options = emulator.options
    pair = options.keys[0]
    extra = {"token": pair.token, "ca_bundle": options.tls and str(options.tls / "ca.pem")}
    return {
        "conn_type": "tencentcloud",
        "host": emulator.url,
        "login": pair.secret_id,
        "password": pair.secret_key,
        "schema": options.site,
        "extra": {name: value for name, value in extra.items() if value},
    }


def _fail(why: str) -> NoReturn:
    pytest.fail(f"the marker {_MARKER}: {why}", pytrace=False)
