"""Shorter forms of ``make fuzz``; how long each input takes is measured there."""

from __future__ import annotations

import pytest

from labs.fuzz import images, parsed, wire


@pytest.mark.slow
def test_mutated_files_are_read_or_refused_within_bounds_of_memory() -> None:
    figures = images.fuzz(400)
    assert (figures.inputs, figures.uncaught) == (400, {})
    assert figures.worker_bytes < 100_000_000
    # Most formats are still decoded, so that it is not the first check alone that is tried.
    assert len([end for end in figures.ends if end.startswith("converted from")]) >= 6


def test_mutated_files_are_read_or_refused_without_the_extra_for_conversion() -> None:
    figures = images.fuzz(400, converts=False)
    assert (figures.inputs, figures.uncaught) == (400, {})
    assert figures.worker_bytes < 100_000_000
    assert {"sent as it is", "ImageTruncated", "ImageFormatUnsupported"} <= set(figures.ends)


@pytest.mark.slow
def test_mutated_answers_become_rows_or_errors_that_are_known_within_bounds_of_memory() -> None:
    figures = parsed.fuzz(400)
    assert (figures.inputs, figures.uncaught) == (400, {})
    assert figures.worker_bytes < 300_000_000
    # Most are still read, so that it is not the first check alone that is tried.
    assert figures.ends["read"] > 100


@pytest.mark.slow
def test_mutated_exchanges_end_as_errors_that_are_known_within_bounds_of_memory() -> None:
    figures = wire.fuzz(400)
    assert (figures.inputs, figures.uncaught) == (400, {})
    assert figures.worker_bytes < 100_000_000
    assert {end.partition(":")[0] for end in figures.ends} == {"call", "role", "identity", "download"}
