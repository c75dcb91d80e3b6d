from __future__ import annotations

import pytest

from labs.chaos.airflow.tries import ended_by_itself

STOPPED = "RunStoppedError: Run stopped early (worker shutdown, or the task was marked)."


@pytest.mark.parametrize(
    ("log", "told"),
    [
        (["INFO 120 images listed", STOPPED], "by itself"),
        (["INFO 120 images listed", "CRITICAL Process terminated by signal. signal=9"], "by a signal"),
        ([STOPPED, "CRITICAL Process terminated by signal. signal=9"], "by a signal"),
        (["INFO 120 images listed", "ERROR Task killed!"], "silently"),
    ],
)
def test_a_stopped_try_has_to_end_by_itself(log: list[str], told: str) -> None:
    figure = ended_by_itself(log)
    assert (figure.measured, figure.kept) == (told, told == "by itself")
