"""Which windows a run reads with its own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_permitocr.engine.run.window import Window

MONDAY, TUESDAY, WEDNESDAY = (datetime(2026, 5, day, tzinfo=UTC) for day in (4, 5, 6))
ALL = Window()
TUESDAYS = Window(TUESDAY, WEDNESDAY)


@pytest.mark.parametrize(
    ("reads", "other", "covers"),
    [
        (ALL, TUESDAYS, True),
        (TUESDAYS, ALL, False),
        (TUESDAYS, TUESDAYS, True),
        (Window(MONDAY, WEDNESDAY), TUESDAYS, True),
        (Window(MONDAY, TUESDAY), TUESDAYS, False),
        (Window(since=TUESDAY), TUESDAYS, True),
        (Window(until=TUESDAY), TUESDAYS, False),
        (ALL, Window(shard="2/4"), True),
        (Window(shard="2/4"), ALL, False),
        (Window(shard="2/4"), Window(MONDAY, TUESDAY, "2/4"), True),
        (Window(shard="2/4"), Window(shard="1/4"), False),
        (ALL, Window(is_repeatable=False), False),
        (Window(is_repeatable=False), ALL, False),
    ],
)
def test_a_window_covers_another_if_who_reads_it_reads_all_of_that(
    reads: Window, other: Window, covers: bool
) -> None:
    assert reads.covers(other) is covers
