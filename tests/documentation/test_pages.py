"""The pages as they are written: links, names of files, and a check for each block of code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documentation.blocks import BLOCKS, PAGES, ROOT, blocks

#: Where the blocks of a language are run, or read by what reads them. `text` is output and pictures.
CHECKED_IN = {
    "python": "test_python_blocks.py",
    "console": "test_console_blocks.py",
    "sql": "test_sql_blocks.py",
    "json": "test_json_blocks.py",
    "yaml": "test_yaml_blocks.py",
    "ini": "test_ini_blocks.py",
    "text": "test_pages.py",
}


def test_every_block_is_of_a_language_that_is_checked() -> None:
    assert len(BLOCKS) > 30
    assert [f"{each}: {each.language!r}" for each in BLOCKS if each.language not in CHECKED_IN] == []
    assert [name for name in CHECKED_IN.values() if not Path(__file__).with_name(name).exists()] == []


def test_every_fence_belongs_to_a_block() -> None:
    fences = sum(len(re.findall(r"^ *```", page.read_text(encoding="utf-8"), re.M)) for page in PAGES)
    assert fences == 2 * len(BLOCKS)


def test_no_block_hides_a_command_among_text() -> None:
    assert [str(each) for each in blocks("text") if re.search(r"^\$ ", each.text, re.M)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_and_picture_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if not target.startswith("http")]
    assert [target for target in local if not (page.parent / target).exists()] == []


def anchors(page: Path) -> set[str]:
    """Name a page's headings as GitHub does in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_to_a_heading_finds_it(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8"))
    local = [(target, anchor) for target, anchor in links if not target.startswith("http")]
    missing = [
        f"{target}#{anchor}"
        for target, anchor in local
        if anchor not in anchors(page.parent / target if target else page)
    ]
    assert missing == []


def test_the_readme_is_short_and_has_one_picture() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120
    assert len(re.findall(r"^!\[", text, re.M)) == 1


def test_every_fact_about_the_real_service_says_how_sure_it_is() -> None:
    page = (ROOT / "docs" / "reference" / "emulator.md").read_text(encoding="utf-8")
    grades = page.partition("| how sure | means |\n|---|---|\n")[2].partition("\n\n")[0]
    known = {line.split(" | ")[0].removeprefix("| ") for line in grades.splitlines()}
    table = page.partition("| fact | source | how sure |\n|---|---|---|\n")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    facts = [row for row in rows if not row[0].startswith("**")]
    assert len(facts) > 30
    assert [fact for fact, _, how_sure in facts if how_sure not in known] == []
    assert [fact for fact, source, how_sure in facts if how_sure != "assumed" and not source] == []


def test_every_path_that_the_map_names_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "airflow_provider_permitocr"
    named = set(re.findall(r"`((?:\w+/)+(?:\w+\.py)?|\w+\.py)`", text)) - {"frame.py"}
    assert len(named) > 20
    assert [each for each in named if not ((ROOT / each).exists() or (package / each).exists())] == []


@pytest.mark.parametrize("pins", ["constraints.txt", "constraints-floors.txt"])
def test_the_promises_name_the_versions_of_airflow_that_are_tested(pins: str) -> None:
    (version,) = re.findall(r"^apache-airflow==(\S+)", (ROOT / pins).read_text(encoding="utf-8"), re.M)
    page = (ROOT / "docs" / "internals" / "promises.md").read_text(encoding="utf-8")
    assert f"| Airflow {version}, and" in page
    assert pins in page
