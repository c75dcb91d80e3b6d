"""Python's cycle collector is left as it was found."""

from __future__ import annotations

import gc

import pytest

from airflow_provider_permitocr.engine.cycle_collector import no_cycles


def test_the_collector_rests_for_a_moment() -> None:
    with no_cycles():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_does_not_leave_it_off() -> None:
    with pytest.raises(ValueError, match="a row"), no_cycles():
        raise ValueError("a row")
    assert gc.isenabled()


def test_one_inside_another_leaves_it_off_until_the_outer_ends() -> None:
    with no_cycles():
        with no_cycles():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_process_that_has_turned_it_off_keeps_it_so() -> None:
    gc.disable()
    try:
        with no_cycles():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
