from __future__ import annotations

import re
from pathlib import Path

from airflow_provider_permitocr.permit.quality.flags import FLAGS, Group

_PAGE = Path(__file__).parents[3] / "docs" / "guides" / "quality.md"


def test_page_has_each_flag_with_what_it_says_of_itself() -> None:
    shown = re.findall(r"^\| `[a-z0-9_]+` \| (?:doubt|fact) \|.*$", _PAGE.read_text(encoding="utf-8"), re.M)
    flags = {
        f"| `{flag}` | {'doubt' if facts.is_doubt else 'fact'} | {facts.meaning} | {facts.source} |"
        for flag, facts in FLAGS.items()
    }
    assert len(shown) == len(set(shown))
    assert set(shown) == flags


def test_page_says_where_each_source_is_found_or_it_needs_none() -> None:
    text = _PAGE.read_text(encoding="utf-8")
    sources = text.partition("## Sources")[2].partition("\n## ")[0]
    explained = set(re.findall(r"^\| ([^|]+) \|", sources, re.M))
    evident = {"the calendar", "the oldest person known", "your list", "phones", "a surname and a given name"}
    named = {name for facts in FLAGS.values() for name in facts.source.split("; ")}
    assert named - evident - explained == set()


def test_page_has_a_part_for_each_group() -> None:
    assert len(re.findall(r"^\| flag \| is a \|", _PAGE.read_text(encoding="utf-8"), re.M)) == len(Group)
