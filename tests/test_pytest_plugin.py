"""The fixture and the switch that tests of others' DAGs use, each in a pytest of its own."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

PLUGIN = "airflow_provider_permitocr.pytest_plugin"
_SETTING = "AIRFLOW__PERMITOCR__EMULATOR_ONLY"
_RECOGNIZES = """
    from airflow_provider_permitocr import MainlandPermitOcrHook
    from airflow_provider_permitocr.emulator.specimens import draw_specimen, PermitKind

    def recognized(conn_id="tencentcloud_default"):
        specimen = draw_specimen(PermitKind.TAIWAN, width=480)
        with MainlandPermitOcrHook(conn_id, max_per_second=100) as hook:
            record = hook.recognize(specimen.image)
        return record["number"] == specimen.fields["Number"]
"""
_CALLS_THE_REAL_SERVICE = """
    import json
    import pytest
    from airflow_provider_permitocr import MainlandPermitOcrHook
    from airflow_provider_permitocr.errors import ConfigurationError

    def test_real(monkeypatch):
        connection = {"conn_type": "tencentcloud", "login": "AKIDreal", "password": "real"}
        monkeypatch.setenv("AIRFLOW_CONN_TENCENTCLOUD_DEFAULT", json.dumps(connection))
        with pytest.raises(ConfigurationError, match="emulator_only"):
            MainlandPermitOcrHook().recognize(b"image")
"""


@pytest.fixture(scope="session", autouse=True)
def imported() -> None:
    """What cannot be imported twice; a pytest within forgets what it was the first to import.

    importlib_metadata puts its finder of packages in the place of Python's, and PyYAML registers tags once.
    """
    for used in ("airflow.configuration", "airflow_provider_permitocr.hooks.mainland_permit_ocr"):
        importlib.import_module(used)


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project whose pytest has the plugin, and nothing of this one."""
    monkeypatch.delenv(_SETTING, raising=False)
    pytester.plugins = []
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider --strict-markers")
    return pytester


def passed(project: pytest.Pytester, *arguments: str) -> int:
    # This suite has imported it before.
    quiet = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
    result = project.runpytest_inprocess("-p", PLUGIN, *quiet, *arguments)
    outcomes = result.parseoutcomes()
    assert set(outcomes) <= {"passed"}, result.stdout.str()
    return outcomes["passed"]


def test_a_test_with_the_fixture_recognizes_specimens_without_an_account(run: pytest.Pytester) -> None:
    run.makepyfile(
        _RECOGNIZES
        + """
    def test_hook(permitocr_emulator):
        assert recognized()
        assert len(permitocr_emulator.records()) == 1
    """
    )
    assert passed(run) == 1
    assert _SETTING not in os.environ
    assert "AIRFLOW_CONN_TENCENTCLOUD_DEFAULT" not in os.environ


def test_a_marker_sets_the_connection_and_options_of_the_emulator(run: pytest.Pytester) -> None:
    run.makepyfile(
        "    import pytest\n"
        + _RECOGNIZES
        + """
    @pytest.mark.permitocr_emulator(conn_id="ocr_account", quota=7)
    def test_hook(permitocr_emulator):
        assert recognized("ocr_account")
        assert permitocr_emulator.options.quota == 7
    """
    )
    assert passed(run) == 1


def test_the_connection_has_the_keys_site_and_authority_of_the_marker(
    run: pytest.Pytester, tmp_path: Path
) -> None:
    run.makepyfile(
        "    import pytest\n"
        + _RECOGNIZES
        + f"""
    from pathlib import Path
    from airflow_provider_permitocr.emulator.options import KeyPair

    @pytest.mark.permitocr_emulator(
        keys=(KeyPair("AKIDown", "own-secret", "own-token"),), site="mainland", tls=Path({str(tmp_path)!r})
    )
    def test_hook(permitocr_emulator):
        assert recognized()
        assert MainlandPermitOcrHook().client_options.site.name == "mainland"
    """
    )
    assert passed(run) == 1


@pytest.mark.parametrize(
    ("marker", "says"),
    [
        ('"ocr_account"', "takes keywords only"),
        (
            'conn="ocr_account"',
            "takes conn_id and the fields of EmulatorOptions, not conn; did you mean conn_id?",
        ),
        ('secret_id="x"', "takes conn_id and the fields of EmulatorOptions, not secret_id"),
        ('engine="tesseract"', "tesseract"),
        ('quota="many"', "quota"),
        ("quota=-1", "quota -1 is negative"),
        ('conn_id=["a", "b"]', "conn_id must be a connection's id, not a list"),
    ],
)
def test_a_marker_that_cannot_be_meant_fails_the_test_and_says_why(
    run: pytest.Pytester, marker: str, says: str
) -> None:
    run.makepyfile(
        f"""
    import pytest

    @pytest.mark.permitocr_emulator({marker})
    def test_hook(permitocr_emulator):
        pass
    """
    )
    result = run.runpytest_inprocess("-p", PLUGIN, "-W", "ignore::pytest.PytestAssertRewriteWarning")
    result.assert_outcomes(errors=1)
    said = result.stdout.str()
    assert "the marker permitocr_emulator" in said
    assert says in said
    assert "Traceback" not in said
    assert "pytest_plugin.py" not in said  # the fault is in the test, not here


def test_beside_the_emulator_no_other_host_is_called(run: pytest.Pytester) -> None:
    run.makepyfile(_CALLS_THE_REAL_SERVICE.replace("(monkeypatch)", "(permitocr_emulator, monkeypatch)"))
    assert passed(run) == 1


def test_the_switch_refuses_real_calls_in_every_test(run: pytest.Pytester) -> None:
    run.makepyfile(_CALLS_THE_REAL_SERVICE)
    assert passed(run, "-o", "permitocr_emulator_only=true") == 1
    assert _SETTING not in os.environ


def test_without_the_switch_the_plugin_changes_nothing(run: pytest.Pytester) -> None:
    run.makepyfile(f"import os\n\ndef test_environment():\n    assert {_SETTING!r} not in os.environ\n")
    assert passed(run) == 1


def test_pytest_loads_the_plugin_by_its_entry_point() -> None:
    setup = ConfigParser()
    setup.read(Path(__file__).parents[1] / "setup.cfg", encoding="utf-8")
    assert setup["options.entry_points"]["pytest11"].split() == [PLUGIN, "=", PLUGIN]


@pytest.mark.slow
def test_loading_the_plugin_imports_neither_airflow_nor_the_emulator() -> None:
    program = (
        f"import sys, {PLUGIN}\n"
        "print([each for each in sys.modules if each.split('.')[0] in ('airflow', 'aiohttp', 'pandas')])\n"
        "print('airflow_provider_permitocr.emulator' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "False"]
