from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_permitocr.cli.checks.findings import Finding, OcrTask, Verdict
from airflow_provider_permitocr.cli.report import findings_block, summary, task_block

FINE = Finding(Verdict.OK, "pool", "it is there")
WRONG = Finding(Verdict.WRONG, "quota", "too much", remedy="send less", command="airflow pools set p 20")


def test_a_block_is_aligned_and_says_what_to_do(ocr_task: Callable[..., OcrTask]) -> None:
    assert task_block(ocr_task(), [FINE, WRONG], width=120).splitlines() == [
        "permits.recognize (permits.py)",
        "  ok         pool   it is there",
        "  WRONG      quota  too much",
        "                    -> send less",
        "                    $ airflow pools set p 20",
    ]


def test_long_lines_are_wrapped_below_themselves_and_commands_are_not() -> None:
    command = "airflow pools set tencent_permit_ocr 20 " + '"MainlandPermitOCR, requests per second"'
    finding = Finding(Verdict.WRONG, "pool", "a word " * 20, "mend it " * 20, command)
    lines = findings_block([finding], width=80).splitlines()
    assert lines[-1].strip() == f"$ {command}"
    assert all(len(line) <= 80 for line in lines[:-1])
    assert lines[1].index("word") > lines[0].index("pool")


@pytest.mark.parametrize("width", [0, 1, 20])
def test_a_narrow_terminal_is_no_failure(width: int) -> None:
    assert "it is there" in findings_block([FINE], width)


def test_the_same_is_said_once() -> None:
    assert findings_block([FINE, FINE], width=120).count("\n") == 1


def test_much_that_is_fine_is_shortened_and_nothing_else() -> None:
    fine = [Finding(Verdict.OK, "image list", f"list {number}") for number in range(200)]
    wrong = [Finding(Verdict.WRONG, "image list", f"no list {number}") for number in range(30)]
    lines = findings_block([*fine, *wrong], width=120).splitlines()
    assert len(lines) == 10 + 30 + 1
    assert lines[-1].endswith("and 190 more")


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ([], "1 task in 1 DAG checked: nothing wrong."),
        ([Verdict.OK, Verdict.NOTE], "1 task in 1 DAG checked: nothing wrong, 1 note."),
        (
            [Verdict.WRONG, Verdict.WRONG, Verdict.UNCHECKED],
            "1 task in 1 DAG checked: 2 wrong, 1 unchecked.",
        ),
    ],
)
def test_the_summary_counts(ocr_task: Callable[..., OcrTask], verdicts: list[Verdict], said: str) -> None:
    findings = [Finding(verdict, "pool", "x") for verdict in verdicts]
    assert summary(findings, [ocr_task()]) == said
