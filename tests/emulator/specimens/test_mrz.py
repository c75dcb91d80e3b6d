from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.emulator.specimens import PermitKind, make_permit
from airflow_provider_permitocr.emulator.specimens.drawing.mrz import check_digit, machine_readable_lines


@pytest.mark.parametrize(
    ("text", "digit"),
    # The examples of ICAO 9303 parts 3 and 4.
    [("520727", "3"), ("AB2134<<<", "5"), ("L898902C3", "6"), ("740812", "2"), ("120415", "9")],
)
def test_check_digits_equal_the_examples_of_icao_9303(text: str, digit: str) -> None:
    assert check_digit(text) == digit


@given(st.sampled_from(list(PermitKind)), st.integers(min_value=0))
def test_lines_have_thirty_characters_of_the_alphabet(kind: PermitKind, seed: int) -> None:
    lines = machine_readable_lines(make_permit(kind, seed))
    assert len(lines) == (1 if kind is PermitKind.EXIT_ENTRY else 3)
    for line in lines:
        assert len(line) == 30
        assert set(line) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<")
