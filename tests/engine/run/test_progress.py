from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from airflow_provider_permitocr.engine.run.progress import Progress

if TYPE_CHECKING:
    from tests.engine.conftest import FakeClock, Lines


def test_a_line_tells_done_of_total_the_rate_and_the_time_left(clock: FakeClock, lines: Lines) -> None:
    progress = Progress(lines, clock=clock)
    progress.expect(10_000)
    progress.skipped(1_000)
    clock.now += 10
    progress.processed(200, failed=3)
    assert lines == [
        "1,200 of 10,000 images done (12.0%), 1,000 of them earlier, 3 without fields;"
        " 20.0 images/s, 0:07:20 left"
    ]


def test_the_first_few_rows_do_not_tell_how_long_the_others_will_take(clock: FakeClock, lines: Lines) -> None:
    progress = Progress(lines, clock=clock)
    progress.expect(10_000)
    clock.now += 10
    progress.processed(2, failed=0)
    assert lines[0].endswith("0.2 images/s, unknown time left")


def test_lines_keep_their_distance(clock: FakeClock, lines: Lines) -> None:
    progress = Progress(lines, every_seconds=5, clock=clock)
    progress.expect(100)
    for _ in range(100):
        clock.now += 1
        progress.processed(1, failed=0)
    assert len(lines) == 20


def test_a_run_of_a_day_has_about_a_line_a_minute(clock: FakeClock, lines: Lines) -> None:
    progress = Progress(lines, clock=clock)
    progress.expect(1_000_000)
    for _ in range(24 * 60 * 60):
        clock.now += 1
        progress.processed(20, failed=0)
    assert 24 * 60 <= len(lines) < 24 * 60 + 60


def test_a_run_that_waits_does_not_repeat_itself_nor_guess_when_it_ends(
    clock: FakeClock, lines: Lines
) -> None:
    progress = Progress(lines, clock=clock)
    progress.expect(300)
    clock.now += 60
    progress.processed(294, failed=0)
    for _ in range(90):
        clock.now += 2
        progress.processed(0, failed=0)
    assert len(lines) == 4
    assert all(line.endswith("unknown time left") for line in lines[1:])
    clock.now += 20
    progress.processed(1, failed=0)
    assert lines[-1].startswith("295 of 300")


@pytest.mark.parametrize(("total", "share"), [(0, "100.0%"), (7, "0.0%")])
def test_an_empty_list_and_a_run_without_a_result_have_a_line_too(
    clock: FakeClock, lines: Lines, total: int, share: str
) -> None:
    progress = Progress(lines, clock=clock)
    progress.expect(total)
    clock.now += 10
    progress.processed(0, failed=0)
    assert share in lines[0]
    assert "unknown time left" in lines[0]


def test_a_list_that_grew_meanwhile_leaves_no_negative_time(clock: FakeClock, lines: Lines) -> None:
    progress = Progress(lines, clock=clock)
    progress.expect(1)
    clock.now += 10
    progress.processed(2, failed=0)
    assert "0:00:00 left" in lines[0]


def test_the_standard_logger_takes_the_line_as_it_is(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    progress = Progress(logging.getLogger("permitocr-test"), clock=clock)
    progress.expect(2)
    clock.now += 10
    progress.processed(1, failed=0)
    assert caplog.messages[0].startswith("1 of 2 images done (50.0%)")
