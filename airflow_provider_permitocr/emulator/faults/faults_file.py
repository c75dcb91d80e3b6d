"""Read scripted faults from a JSON file; docs/reference/emulator.md has examples."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from airflow_provider_permitocr.emulator.faults.faults import Effect, Match, Numbers, Rule

_NUMBER_LISTS: Final = frozenset({"calls", "attempts"})


def load_rules(path: Path) -> tuple[Rule, ...]:
    """Read the rules of a faults file.

    :raises ValueError: naming the file, the rule and what is wrong with it.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"cannot read the faults file {path}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"the faults file {path} is not JSON: {error}") from error
    if (
        not isinstance(document, dict)
        or set(document) != {"rules"}
        or not isinstance(document["rules"], list)
    ):
        raise ValueError(f'the faults file {path} must be an object with one list: {{"rules": [...]}}')
    rules = []
    for number, item in enumerate(document["rules"], start=1):
        try:
            rules.append(_rule(f"rule {number}", item))
        except ValueError as error:
            raise ValueError(f"{path}, rule {number}: {error}") from error
    return tuple(rules)


def _rule(default_name: str, item: object) -> Rule:
    if not isinstance(item, dict) or not {"effect"} <= set(item) <= {"name", "match", "effect"}:
        raise ValueError("a rule is an object with an `effect`, and may have a `name` and a `match`")
    name = item.get("name", default_name)
    if not isinstance(name, str) or not name:
        raise ValueError("`name` takes text")
    match = _fields(Match, "match", item.get("match", {}))
    for key in _NUMBER_LISTS & set(match):
        match[key] = _numbers(key, match[key])
    return Rule(name, Match(**match), Effect(**_fields(Effect, "effect", item["effect"])))


def _fields(kind: type[Match] | type[Effect], name: str, values: object) -> dict[str, Any]:
    known = [each.name for each in fields(kind)]
    if not isinstance(values, dict):
        raise ValueError(f"`{name}` takes an object")
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"`{name}` does not know {', '.join(unknown)}; it takes {', '.join(known)}")
    return dict(values)


def _numbers(name: str, items: object) -> Numbers:
    if not isinstance(items, list) or not items:
        raise ValueError(f'`{name}` takes a list of numbers and ranges, such as [1, "5-9"]')
    ranges = []
    for item in items:
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", str(item), re.ASCII)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last:
            raise ValueError(f'`{name}` takes numbers from 1 and ranges such as "5-9", not {item!r}')
        ranges.append(range(first, last + 1))
    return tuple(ranges)
