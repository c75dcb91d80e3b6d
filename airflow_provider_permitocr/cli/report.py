"""Findings as text for a terminal or a CI log."""

from __future__ import annotations

import difflib
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from airflow_provider_permitocr.cli.checks.findings import Finding, Task, Verdict, ok
from airflow_provider_permitocr.counted import many

#: Characters in a line, however wide a terminal is.
WIDEST = 120
_VERDICT_WIDTH = max(len(verdict) for verdict in Verdict)
_MOST_ALIKE = 10
_NARROWEST = 40


def task_block(task: Task, findings: Sequence[Finding], width: int) -> str:
    """Return a task with its findings.

    :param width: characters in a line; commands are kept in one line nevertheless.
    """
    return f"{task.dag_id}.{task.task_id} ({task.file})\n{findings_block(findings, width)}"


def findings_block(findings: Iterable[Finding], width: int) -> str:
    """Return one paragraph per finding, aligned."""
    shown = _shortened(list(dict.fromkeys(findings)))
    subject_width = max((len(finding.subject) for finding in shown), default=0)
    return "".join(_paragraph(finding, subject_width, width) for finding in shown)


def summary(findings: Iterable[Finding], tasks: Sequence[Task]) -> str:
    """Count it all in one line."""
    counts = Counter(finding.verdict for finding in findings)
    dags = len({task.dag_id for task in tasks})
    said = [f"{counts[Verdict.WRONG]:,} wrong" if counts[Verdict.WRONG] else "nothing wrong"]
    if counts[Verdict.NOTE]:
        said.append(many(counts[Verdict.NOTE], "note"))
    if counts[Verdict.UNCHECKED]:
        said.append(f"{counts[Verdict.UNCHECKED]:,} unchecked")
    return f"{many(len(tasks), 'task')} in {many(dags, 'DAG')} checked: {', '.join(said)}."


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Report an unknown name, with similar ones."""
    close = difflib.get_close_matches(name, list(known), n=2)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return f"There is no {what} {name!r}{hint}"


def _paragraph(finding: Finding, subject_width: int, width: int) -> str:
    head = f"  {finding.verdict:<{_VERDICT_WIDTH}}  {finding.subject:<{subject_width}}  "
    margin = " " * len(head)
    lines = _wrapped(finding.message, head, width)
    if finding.remedy:
        lines += _wrapped(finding.remedy, f"{margin}-> ", width)
    if finding.command:
        lines.append(f"{margin}$ {finding.command}")
    return "\n".join(lines) + "\n"


def _wrapped(text: str, head: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        max(width, len(head) + _NARROWEST),
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _shortened(findings: list[Finding]) -> list[Finding]:
    """Omit some successful findings if a mapped task has very many."""
    shown = []
    seen: Counter[str] = Counter()
    for finding in findings:
        seen[finding.subject] += finding.verdict is Verdict.OK
        if finding.verdict is not Verdict.OK or seen[finding.subject] <= _MOST_ALIKE:
            shown.append(finding)
    for subject, count in seen.items():
        if count > _MOST_ALIKE:
            shown.append(ok(subject, f"and {count - _MOST_ALIKE:,} more"))
    return shown
