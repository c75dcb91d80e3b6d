"""Calls and arguments in sentences: each is of a class or function that takes it."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

import airflow_provider_permitocr
from airflow_provider_permitocr.emulator.options import EmulatorOptions
from airflow_provider_permitocr.emulator.running import start_emulator
from airflow_provider_permitocr.emulator.specimens import draw_specimen, draw_stand_ins
from airflow_provider_permitocr.hooks.mainland_permit_ocr import MainlandPermitOcrHook
from airflow_provider_permitocr.operators.mainland_permit_ocr import MainlandPermitOcrOperator
from tests.documentation.blocks import ROOT, SPANS, Shown

_OURS: dict[str, Callable[..., Any]] = {
    **{name: getattr(airflow_provider_permitocr, name) for name in airflow_provider_permitocr.__all__},
    **{
        name: getattr(MainlandPermitOcrHook, name)
        for name in ("recognize", "recognize_rows", "recognize_frame")
    },
    "MainlandPermitOcrHook": MainlandPermitOcrHook,
    "EmulatorOptions": EmulatorOptions,
    "start_emulator": start_emulator,
    "draw_specimen": draw_specimen,
    "draw_stand_ins": draw_stand_ins,
}
_AIRFLOWS = (BaseOperator, DAG)


#: Assignments of other languages, and arguments of an operator of another provider.
_OF_OTHERS = {"copy_options"}


def parameters(of: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(of).parameters)


def arguments_known() -> set[str]:
    return {name for each in (*_OURS.values(), *_AIRFLOWS) for name in parameters(each)}


def calls_in(span: Shown) -> list[ast.Call]:
    """Parse a span as an expression, or as arguments of a call: `mode="append"`, `list=`."""
    text = re.sub(r"=(?=$|[,)])", "=...", span.text.replace("…", "..."))
    if re.match(r"\w+ = ", text):  # a condition in SQL
        return []
    for source in (text, f"_({text})"):
        try:
            tree = ast.parse(source, mode="eval")
        except SyntaxError:
            continue
        return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return []


def faults(span: Shown) -> list[str]:
    found = []
    for call in calls_in(span):
        name = getattr(call.func, "id", "")
        # In capitals: a variable of the shell.
        given = {keyword.arg for keyword in call.keywords if keyword.arg and keyword.arg.islower()}
        taken = parameters(_OURS[name]) if name in _OURS else arguments_known() if name == "_" else given
        found += [f"{span}: {span.text}" for _ in given - taken - _OF_OTHERS]
    return found


@pytest.mark.parametrize("page", sorted({span.page for span in SPANS}))
def test_every_argument_in_a_sentence_is_one_that_something_takes(page: str) -> None:
    assert [fault for span in SPANS if span.page == page for fault in faults(span)] == []


def test_calls_and_arguments_are_found() -> None:
    spans = (Shown("", 0, text) for text in ("Batch(rows=…, lines=…)", 'mode="append"', "lists=", "list="))
    assert [len(faults(span)) for span in spans] == [1, 0, 1, 0]
    assert sum(bool(calls_in(span)) for span in SPANS) > 60


def test_the_operators_page_lists_all_arguments() -> None:
    page = (ROOT / "docs" / "reference" / "operator.md").read_text(encoding="utf-8")
    table = page.partition("| argument | default | sets |\n|---|---|---|\n")[2].partition("\n\n")[0]
    named = [line.split(" | ")[0].removeprefix("| ").strip("`") for line in table.splitlines()]
    taken = inspect.signature(MainlandPermitOcrOperator.__init__).parameters.values()
    assert sorted(named) == sorted(each.name for each in taken if each.kind is each.KEYWORD_ONLY)
