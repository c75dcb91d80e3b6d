"""Each field that a task returns is named."""

from __future__ import annotations

import re
from pathlib import Path

from airflow_provider_permitocr.engine.plan.plan import Plan
from airflow_provider_permitocr.engine.run.summary import RunSummary

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "operator.md"


def test_the_operators_page_explains_each_field_of_the_summary() -> None:
    _, _, section = PAGE.read_text(encoding="utf-8").partition("## What a task logs and returns")
    explained = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert explained == list(RunSummary(0, 0, {}, {}, 0, 0, 0.0).as_dict())


def test_the_operators_page_names_each_field_of_a_plan() -> None:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition("(`plan_only`) returns ")
    named = re.findall(r"`(\w+)`", rest.partition(". A `rebuild`")[0])
    assert named == list(Plan(0, 0, 0, 0.0).as_dict())
