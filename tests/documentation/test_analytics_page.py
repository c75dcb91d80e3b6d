"""docs/guides/analytics.md says what the views and tables are."""

from __future__ import annotations

import re

import pytest

from airflow_provider_permitocr.sql.analytics.definitions import OF_LEDGERS, OF_RESULTS, Analysis
from tests.documentation.blocks import ROOT

PAGE = (ROOT / "docs" / "guides" / "analytics.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("analysis", [*OF_RESULTS, *OF_LEDGERS], ids=lambda each: each.suffix)
def test_each_view_has_a_section_with_its_question_and_columns(analysis: Analysis) -> None:
    heading = f"## {analysis.question}\n\n`permits_{analysis.suffix}`\n"
    assert heading in PAGE
    section = PAGE.partition(heading)[2].partition("\n## ")[0]
    rows = [f"| `{each.name}` | {each.comment} |" for each in analysis.columns]
    assert "\n".join(["| column | |", "|---|---|", *rows, "", ""]) in section
    assert "```sql" in section


def test_no_section_is_of_a_view_that_is_gone() -> None:
    shown = set(re.findall(r"^`permits_(\w+)`$", PAGE, re.M))
    assert shown == {each.suffix for each in (*OF_RESULTS, *OF_LEDGERS)}
