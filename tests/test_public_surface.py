"""What users import and call, by name and signature: a change here is a change for them."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import airflow_provider_permitocr as permitocr

LIST = Path(__file__).with_name("public_surface.txt")


def surface() -> list[str]:
    """Return a line for each public name, and for each public method of the hook."""
    found = [f"{name}{inspect.signature(getattr(permitocr, name))}" for name in permitocr.__all__]
    hook = permitocr.MainlandPermitOcrHook
    methods = inspect.getmembers(hook, inspect.isfunction)
    own = [name for name, method in methods if method.__module__.startswith(permitocr.__name__)]
    own = [name for name in own if not name.startswith("_")]
    return found + [f"{hook.__name__}.{name}{inspect.signature(getattr(hook, name))}" for name in sorted(own)]


def test_the_public_surface_is_what_the_list_says() -> None:
    assert surface() == LIST.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", [each for each in permitocr.__all__ if each != "shards"])
def test_only_the_first_argument_is_positional(name: str) -> None:
    parameters = list(inspect.signature(getattr(permitocr, name)).parameters.values())
    positional = [each.name for each in parameters if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert len(positional) <= 1
