from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from labs.chaos.run import SCENARIOS, ChaosOptions, show
from labs.ground.figures import Figure


def test_an_unknown_scenario_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no scenario 'kil'; they are kill, "):
        ChaosOptions(("kill", "kil"), short=True, state=tmp_path)


def test_every_scenario_may_be_played_alone(tmp_path: Path) -> None:
    assert ChaosOptions(tuple(SCENARIOS), short=True, state=tmp_path).only == tuple(SCENARIOS)


def test_the_table_says_what_failed_in_lines_that_fit_a_terminal() -> None:
    output = io.StringIO()
    figures = {
        "kill": [
            Figure("answers paid for again", "2,345", "≤ 2,345 open at the kills", kept=True),
            Figure("answers, by the ledger", "2,000 ≤ 4,345 ≤ 4,400", "in this order", kept=False),
        ]
    }

    show(figures, Console(file=output, width=90))

    title, name, *lines = output.getvalue().splitlines()
    assert "to reach" in title
    assert name.strip() == "kill"
    assert [line.split()[-1] for line in lines] == ["ok", "FAILED"]


def test_the_situations_of_a_scenario_have_a_title_each() -> None:
    output = io.StringIO()
    kept = [Figure(f"{situation}: images {what}", "0", "0", kept=True) for situation in "ab" for what in "xy"]

    show({"airflow": kept}, Console(file=output, width=90))

    first = [line.split("  0")[0].strip() for line in output.getvalue().splitlines()[1:]]
    assert first == ["airflow, a", "images x", "images y", "airflow, b", "images x", "images y"]
