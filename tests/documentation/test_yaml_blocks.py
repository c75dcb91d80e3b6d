"""YAML is what a dbt project says of the dbt package: where it is, and its variables."""

from __future__ import annotations

import re

import pytest
from airflow.utils import yaml

from labs.ground.analytics_project import PACKAGE
from tests.documentation.blocks import ROOT, SPANS, Shown, blocks


def variables() -> set[str]:
    """Return all variables that the dbt package reads."""
    files = [each for suffix in ("sql", "yml") for each in PACKAGE.rglob(f"*.{suffix}")]
    texts = [each.read_text(encoding="utf-8") for each in files]
    return {name for text in texts for name in re.findall(r"var\('(\w+)'", text)}


@pytest.mark.parametrize("shown", blocks("yaml"), ids=str)
def test_a_project_can_say_so(shown: Shown) -> None:
    read = yaml.safe_load(shown.text)
    if "packages" in read:
        (package,) = read["packages"]
        assert ROOT / package["subdirectory"] == PACKAGE
        assert set(package) == {"git", "subdirectory", "revision"}
    else:
        assert set(read) == {"vars", "models"}
        assert set(read["models"]) == {PACKAGE.name}
        assert set(read["vars"]) <= variables()


def test_the_page_names_every_variable_and_every_model() -> None:
    named = {span.text for span in SPANS if span.page == "docs/guides/dbt.md" and "permit_ocr_" in span.text}
    models = {file.stem for folder in ("models", "seeds") for file in (PACKAGE / folder).rglob("*_ocr__*")}
    assert {name for name in named if re.fullmatch(r"\w+", name)} == variables() | models
