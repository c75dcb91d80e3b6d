"""The site is built of the pages without a warning, and needs nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

import airflow_provider_permitocr
from tests.documentation.blocks import ROOT

_SPHINX: Final = ROOT / ".venv-docs" / "bin" / "sphinx-build"
_DOCS: Final = ROOT / "docs"


def pages_of(index: str) -> list[str]:
    return re.findall(r"\]\(((?!http)[^)#]+\.(?:md|rst))\)", index)


def test_the_index_leads_to_every_page_once() -> None:
    listed = pages_of((_DOCS / "index.md").read_text(encoding="utf-8"))
    pages = {page.relative_to(_DOCS).as_posix() for kind in ("*.md", "*.rst") for page in _DOCS.rglob(kind)}
    assert sorted(listed) == sorted(pages - {"index.md"})


def test_the_page_of_the_python_interface_has_every_name_that_a_dag_file_imports() -> None:
    text = (_DOCS / "reference" / "python.rst").read_text(encoding="utf-8")
    described = re.findall(r"^\.\. auto(?:class|function):: (\w+)$", text, re.M)
    assert sorted(described) == sorted(airflow_provider_permitocr.__all__)


@pytest.mark.slow
def test_the_site_is_built_without_warnings_and_without_the_network(tmp_path: Path) -> None:
    assert _SPHINX.exists(), f"{_SPHINX} is missing: `make docs` sets it up"
    nowhere = "http://127.0.0.1:9"
    done = subprocess.run(
        [
            *(str(_SPHINX), "-q", "-W", "--keep-going", "-b", "html", "-d", str(tmp_path / "read")),
            *("docs", str(tmp_path / "site")),
        ],
        cwd=ROOT,
        env={
            **{"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AIRFLOW_HOME": str(tmp_path / "airflow")},
            **{"HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere, "ALL_PROXY": nowhere},
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    built = {page: page.read_text(encoding="utf-8") for page in (tmp_path / "site").rglob("*.html")}
    names = {page.relative_to(tmp_path / "site").as_posix() for page in built}
    listed = pages_of((_DOCS / "index.md").read_text(encoding="utf-8"))
    assert {re.sub(r"\.\w+$", ".html", page) for page in listed} <= names
    loaded = r"<(?:script|img|link)[^>]+(?:src|href)=\"(?:https?:)?//[^\"]+"
    assert {page.name: found for page, text in built.items() if (found := re.findall(loaded, text))} == {}
    python = built[tmp_path / "site" / "reference" / "python.html"]
    assert "requests per second; by default" in python
    changes = built[tmp_path / "site" / "changes.html"]
    assert 'href="guides/dbt.html"' in changes
