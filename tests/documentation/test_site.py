"""The site is built of the pages without a warning, and needs nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

import airflow_provider_permitocr
from labs.ui.browser import window
from tests.documentation.blocks import ROOT, Shown, blocks

_SPHINX: Final = ROOT / ".venv-docs" / "bin" / "sphinx-build"
_DOCS: Final = ROOT / "docs"
#: How many pixels a page is too wide, and which of its pictures are missing.
_TOO_WIDE_OR_BROKEN: Final = """
() => [
    document.documentElement.scrollWidth - document.documentElement.clientWidth,
    ...[...document.images].filter(each => each.complete && !each.naturalWidth).map(each => each.src),
].filter(Boolean)
"""


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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built without the network; a warning is an error."""
    tmp_path = tmp_path_factory.mktemp("documentation")
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
    return tmp_path / "site"


@pytest.mark.slow
def test_the_site_is_built_without_warnings_and_without_the_network(site: Path) -> None:
    built = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    names = {page.relative_to(site).as_posix() for page in built}
    listed = pages_of((_DOCS / "index.md").read_text(encoding="utf-8"))
    assert {re.sub(r"\.\w+$", ".html", page) for page in listed} <= names
    loaded = r"<(?:script|img|link)[^>]+(?:src|href)=\"(?:https?:)?//[^\"]+"
    assert {page.name: found for page, text in built.items() if (found := re.findall(loaded, text))} == {}
    python = built[site / "reference" / "python.html"]
    assert "requests per second; by default" in python
    changes = built[site / "changes.html"]
    assert 'href="guides/dbt.html"' in changes


@pytest.mark.slow
def test_the_button_beside_commands_copies_each_of_them_whole(started: Any, site: Path) -> None:
    for page in sorted({each.page for each in blocks("console") if each.page.startswith("docs/")}):
        built = site / page.removeprefix("docs/").replace(".md", ".html")
        expected = [_commands_in(each) for each in blocks("console") if each.page == page]
        with window(started, built.as_uri(), permissions=["clipboard-read", "clipboard-write"]) as opened:
            opened.page.goto(built.as_uri())
            copied = []
            for button in opened.page.locator(".highlight-console button.copybtn").all():
                button.dispatch_event("click")
                button.and_(opened.page.locator(".success")).wait_for(state="attached")
                copied.append(opened.page.evaluate("navigator.clipboard.readText()").strip())
        assert (page, copied) == (page, expected)


@pytest.mark.slow
def test_on_a_phone_no_page_is_wider_than_the_screen_and_every_picture_shows(
    started: Any, site: Path
) -> None:
    with window(started, site.as_uri(), width=390, height=800) as opened:
        faults = {}
        for page in sorted(site.rglob("*.html")):
            opened.page.goto(page.as_uri())
            faults[page.relative_to(site).as_posix()] = opened.page.evaluate(_TOO_WIDE_OR_BROKEN)
    assert {page: found for page, found in faults.items() if found} == {}


def _commands_in(shown: Shown) -> str:
    """Return what a reader pastes into a shell: the commands, without prompts and without what they say."""
    return "\n".join(re.findall(r"^\$ ((?:.*\\\n)*.*)$", shown.text, re.M))
