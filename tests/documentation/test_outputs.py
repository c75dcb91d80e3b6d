"""What commands and logs say, as the pages quote it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

import pytest
import sqlalchemy as sa

from airflow_provider_permitocr.cli.checks.findings import Finding, Verdict
from airflow_provider_permitocr.cli.plans.planned_run import PlannedRun
from airflow_provider_permitocr.cli.plans.report import plan_block
from airflow_provider_permitocr.cli.plans.task_plan import TaskPlan
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.engine.plan.plan import Plan
from airflow_provider_permitocr.options.budget import Price
from tests.documentation.blocks import BLOCKS, ROOT, SPANS, Shown, blocks

_PACKAGE: Final = ROOT / "airflow_provider_permitocr"
_COMPARED: Final = ("$ airflow permitocr check", "$ airflow permitocr plan")
_OF_COMMANDS: Final = r"(make|airflow|pip|dbt|python|SELECT|CREATE|UPDATE|INSERT|SET|ON) "
#: By PostgreSQL and by Airflow.
_SAID_BY_OTHERS: Final = {
    "terminating connection due to administrator command",
    "Skipping masking for a secret as it's too short",
}
_PLAN: Final = Plan(
    listed=20_000,
    left_over=340,
    settled=1_540,
    rejected={"ImageTooLarge": 12, "ImageBroken": 2},
    unavailable={"ImageNotFound": 3},
    same_picture=283,
    to_call=18_500,
    seconds=944.0,
    calls_left=5_000,
    price=Price(Decimal("0.0015"), "USD"),
)


def output_of(command: str) -> list[str]:
    """Return what a page shows below a command; another page may have it among others, without its output."""
    shown = [each.text.splitlines() for each in blocks("console") if each.text.startswith(f"$ {command}")]
    (lines,) = [lines[1:] for lines in shown if not lines[1].startswith("$ ")]
    return lines


def test_the_plan_looks_as_it_is_shown() -> None:
    run = PlannedRun(*(datetime(2026, 5, day, tzinfo=UTC) for day in (1, 1, 2)))
    said = plan_block("permit_ocr_daily", run, TaskPlan("recognize_permits", plan=_PLAN))
    assert said.splitlines() == output_of("airflow permitocr plan")


def test_the_plans_numbers_are_explained_by_the_names_that_they_have() -> None:
    with_all = Plan(1, 1, 1, 1.0, left_over=1, unread=1, redone=1, same_picture=1, unseen=1, calls_left=0)
    names = {name.strip() for plan in (_PLAN, with_all) for name, _ in plan.lines()}
    page = (ROOT / "docs" / "guides" / "budget.md").read_text(encoding="utf-8")
    table = page.partition("| number | what it counts |\n|---|---|\n")[2].partition("\n\n")[0]
    explained = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()]
    assert len(explained) > 8
    assert set(explained) <= names


def test_the_check_looks_as_it_is_shown(
    airflow_metadata: None,
    emulator: RunningEmulator,
    connect_emulator: Callable[..., None],
    set_connection: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from airflow.cli.cli_parser import get_parser
    from airflow.models.pool import Pool

    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "permits.py").write_text(blocks("python")[0].text, encoding="utf-8")
    bundle = {"name": "page", "kwargs": {"path": str(dags)}}
    bundle["classpath"] = "airflow.dag_processing.bundles.local.LocalDagBundle"
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "set back after the test")
    monkeypatch.delenv("COLUMNS", raising=False)
    connect_emulator(emulator)
    for name in ("lake", "warehouse"):
        file = tmp_path / f"{name}.db"
        file.touch()
        set_connection(name, conn_type="sqlite", host=str(file))
    with sa.create_engine(f"sqlite:///{tmp_path}/lake.db").begin() as connection:
        connection.execute(sa.text("CREATE TABLE permit_images (image_id text PRIMARY KEY, image_url text)"))
        connection.execute(sa.text("INSERT INTO permit_images VALUES ('a', '/a.jpg'), ('b', '/b.jpg')"))
    pool = "tencent_permit_ocr"
    Pool.create_or_update_pool(name=pool, slots=10, description="", include_deferred=False)

    arguments = get_parser().parse_args(["permitocr", "check", "permits"])
    with pytest.raises(SystemExit) as ended:
        arguments.func(arguments)
    Pool.delete_pool(name=pool)

    assert ended.value.code == 1
    assert "\n".join(output_of("airflow permitocr check")) in capsys.readouterr().out


def test_the_fields_and_verdicts_of_the_check_for_programs_are_named() -> None:
    page = (ROOT / "docs" / "operations" / "troubleshooting.md").read_text(encoding="utf-8")
    paragraph = page.partition("A row has the fields ")[2].partition("\n\n")[0]
    named = [*Finding(Verdict.OK, "", "").as_row(None), *(each.lower() for each in Verdict)]
    assert [name for name in named if f"`{name}`" not in paragraph] == []


@cache
def said_by_the_package() -> str:
    """Return all texts of the package, those of an f-string between its values."""
    files = [*_PACKAGE.rglob("*.py"), *(ROOT / "labs").rglob("*.py")]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    constants = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return "\n".join(value for value in constants if isinstance(value, str))


def phrases(text: str) -> Iterator[str]:
    """Cut a text where values and marks are; of what remains, three words or more are worth a look."""
    for phrase in re.split(r"'[^' ]+'|[^A-Za-z'_ -]+", text):
        words = phrase.split()
        if len(words) >= 3:
            yield " ".join(words)


def quoted() -> Iterator[Shown]:
    """Return what logs and commands say, but for what is compared as a whole above."""
    for block in BLOCKS:
        lines = [line for line in block.text.splitlines() if not re.match(r"\$ | {4}--", line)]
        is_output = block.language == "text" and block.page != "docs/architecture.md"
        if is_output or (block.language == "console" and not block.text.startswith(_COMPARED)):
            yield replace(block, text="\n".join(lines))
    for span in SPANS:
        if re.match(r"(…|[A-Za-z]+) ", span.text) and not re.match(_OF_COMMANDS, span.text):
            yield span


def is_said(phrase: str) -> bool:
    """Tell whether the package says so; a first or last word may be half a value's, as in `calls`."""
    words = phrase.split()
    tries = (words, words[1:], words[:-1], words[1:-1])
    return any(" ".join(each) in said_by_the_package() for each in tries if len(each) > 1)


@pytest.mark.slow
def test_messages_are_quoted_as_the_package_says_them() -> None:
    found = [(shown, phrase) for shown in quoted() for phrase in phrases(shown.text)]
    assert len(found) > 30
    missing = [f"{shown}: {phrase}" for shown, phrase in found if not is_said(phrase)]
    assert [each for each in missing if each.partition(": ")[2] not in _SAID_BY_OTHERS] == []
