from __future__ import annotations

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_provider_permitocr.permit.dates import parse_date, parse_period

_FORMATS = (
    "{0.year:04}.{0.month:02}.{0.day:02}",
    "{0.year:04}-{0.month:02}-{0.day:02}",
    "{0.year:04}/{0.month:02}/{0.day:02}",
    "{0.year:04}年{0.month:02}月{0.day:02}日",
    "{0.year:04}年{0.month}月{0.day}日",
    "{0.year:04} . {0.month} . {0.day}",
)
_FULL_WIDTH = str.maketrans("0123456789.-/", "０１２３４５６７８９．－／")

formats = st.sampled_from(_FORMATS)
no_digits = st.text(st.characters(exclude_categories=("Nd", "No", "Nl", "Lo")))


@given(st.dates(), formats, st.booleans(), st.sampled_from(["", " ", "\u3000"]))
def test_a_printed_date_reads_back_as_itself(
    day: date, printed_as: str, full_width: bool, margin: str
) -> None:
    printed = printed_as.format(day)
    text = margin + (printed.translate(_FULL_WIDTH) if full_width else printed) + margin
    assert parse_date(text) == day


@given(st.dates(), st.dates(), formats, st.sampled_from(["-", "—", "–", " - ", "至", "~", "～"]))
def test_a_printed_period_reads_back_as_itself(one: date, other: date, printed_as: str, dash: str) -> None:
    first, last = sorted((one, other))
    assert parse_period(printed_as.format(first) + dash + printed_as.format(last)) == (first, last)


@given(st.dates(), formats)
def test_a_period_without_end_has_only_its_first_day(day: date, printed_as: str) -> None:
    assert parse_period(f"{printed_as.format(day)}-长期") == (day, None)


@given(st.dates(), st.dates(), formats)
def test_a_period_that_ends_before_it_starts_is_none(one: date, other: date, printed_as: str) -> None:
    assume(one != other)
    first, last = sorted((one, other))
    assert parse_period(f"{printed_as.format(last)}-{printed_as.format(first)}") == (None, None)


@given(st.text())
def test_no_text_whatever_is_an_error(text: str) -> None:
    parse_date(text)
    parse_period(text)


@pytest.mark.slow
@given(no_digits)
def test_text_without_digits_is_no_date(text: str) -> None:
    assert parse_date(text) is None
    assert parse_period(text) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", " ", "长期", "1986", "1986.03", "19860302", "86.03.02", "1986.3.2.1", "x1986.03.02"),
        *("1986.00.02", "1986.13.02", "1986.02.30", "1985.02.29", "0000.01.01", "1986.03.02-", "1986 03 02"),
    ],
)
def test_what_is_no_date_is_none(text: str | None) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "2016.02.03", "2016.02.03-", "-2021.02.02", "2016.02.03-2021", "长期-2021.02.02", "长期"),
        *("2016.02.30-2021.02.02", "2016.02.03-2021.02.30", "2016.13.03-长期", "2016.02.03-2021.02.02-长期"),
    ],
)
def test_what_is_no_period_is_none_at_both_ends(text: str | None) -> None:
    assert parse_period(text) == (None, None)


def test_a_period_may_be_one_day_and_leap_days_exist() -> None:
    assert parse_period("2024.02.29-2024.02.29") == (date(2024, 2, 29), date(2024, 2, 29))


@pytest.mark.parametrize("text", [" " * 40_000, "1986.03.02" + " " * 40_000, "长期" * 20_000, "1" * 40_000])
def test_a_text_that_is_far_too_long_is_no_date_and_takes_no_time(text: str) -> None:
    assert parse_date(text) is None
    assert parse_period(text) == (None, None)
