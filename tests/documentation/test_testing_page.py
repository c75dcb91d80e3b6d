"""The tests that the page on testing shows pass, in a pytest of their own."""

from __future__ import annotations

import pytest

from tests.documentation.blocks import ROOT, blocks
from tests.documentation.test_python_blocks import TESTING_PAGE
from tests.test_pytest_plugin import PLUGIN

pytestmark = pytest.mark.slow


def test_the_tests_of_the_page_pass(
    pytester: pytest.Pytester, airflow_metadata: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shown, *_) = [block.text for block in blocks("python") if block.page == "docs/index.md"]
    dags = pytester.mkdir("dags")
    dags.joinpath("permits.py").write_text(shown, encoding="utf-8")
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(dags))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    tests = "\n".join(block.text for block in blocks("python") if block.page == TESTING_PAGE)
    pytester.makepyfile(tests)
    quiet = ("-W", "ignore", "-p", "no:cacheprovider", "-p", "no:xdist")
    result = pytester.runpytest_subprocess("-p", PLUGIN, *quiet)
    result.assert_outcomes(passed=tests.count("def test_"))
