from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_permitocr.emulator.faults.faults import BodyFault, Effect, Match, Rule
from airflow_provider_permitocr.emulator.faults.faults_file import load_rules

DROP = {"drop": True}
MANUAL = Path(__file__).parents[3] / "docs" / "reference" / "emulator.md"


def write(path: Path, document: Any) -> Path:
    file = path / "faults.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return file


def test_rules_are_read(tmp_path: Path) -> None:
    document = {
        "rules": [
            {
                "name": "poison",
                "match": {"image": "ab", "calls": [1, "3-4"]},
                "effect": {"body": "truncated"},
            },
            {"effect": {"error": "InternalError"}},
        ]
    }
    assert load_rules(write(tmp_path, document)) == (
        Rule(
            "poison",
            Match(image="ab", calls=(range(1, 2), range(3, 5))),
            Effect(body=BodyFault.TRUNCATED),
        ),
        Rule("rule 2", Match(), Effect(error="InternalError")),
    )


def test_examples_of_the_manual_are_valid(tmp_path: Path) -> None:
    examples = re.findall(r"```json\n(\{\s*\"rules\".*?)```", MANUAL.read_text(encoding="utf-8"), re.DOTALL)
    assert examples
    for example in examples:
        assert load_rules(write(tmp_path, example))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "is not JSON"),
        ([], "must be an object with one list"),
        ({"rules": {}}, "must be an object with one list"),
        ({"rules": [], "more": 1}, "must be an object with one list"),
        (
            {"rules": [{"effect": DROP}, {"match": {}}]},
            "rule 2: a rule is an object with an `effect`",
        ),
        ({"rules": [{"effect": DROP, "rate": 1}]}, "rule 1: a rule is an object with an `effect`"),
        ({"rules": [{"effect": DROP, "name": 5}]}, "rule 1: `name` takes text"),
        ({"rules": [{"effect": []}]}, "rule 1: `effect` takes an object"),
        ({"rules": [{"effect": {"status": 502}}]}, "rule 1: `effect` does not know status; it takes error,"),
        ({"rules": [{"match": {"call": 1}, "effect": DROP}]}, "rule 1: `match` does not know call"),
        ({"rules": [{"match": {"calls": 1}, "effect": DROP}]}, "rule 1: `calls` takes a list"),
        (
            {"rules": [{"match": {"calls": [0]}, "effect": DROP}]},
            "rule 1: `calls` takes numbers from 1",
        ),
        ({"rules": [{"match": {"attempts": ["5-3"]}, "effect": DROP}]}, "not '5-3'"),
        ({"rules": [{"match": {"rate": 7}, "effect": DROP}]}, "rule 1: `rate` takes"),
        ({"rules": [{"effect": {"delay": -1}}]}, "rule 1: `delay` takes"),
    ],
)
def test_wrong_file_names_the_rule_and_what_to_change(tmp_path: Path, document: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        load_rules(write(tmp_path, document))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot read the faults file .*nowhere\.json"):
        load_rules(tmp_path / "nowhere.json")
