from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.tencent.transport import MAX_RETRY_AFTER_SECONDS, retry_after

_NOW = 1_750_000_000.0


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("86400", MAX_RETRY_AFTER_SECONDS),
        ("9" * 5000, MAX_RETRY_AFTER_SECONDS),
        (formatdate(_NOW + 20, usegmt=True), 20.0),
        (formatdate(_NOW + 20), 20.0),
        (formatdate(_NOW - 20, usegmt=True), 0.0),
        (formatdate(_NOW + 86_400, usegmt=True), MAX_RETRY_AFTER_SECONDS),
    ],
)
def test_seconds_and_dates_are_read_and_capped(said: str, seconds: float) -> None:
    assert retry_after({"Retry-After": said}, now=lambda: _NOW) == seconds


@pytest.mark.parametrize(
    "said", ["", "-1", "1.5", "1e3", "soon", "٣", "7, 7", "Wed, 99 Oct 2026 07:28:00 GMT"]
)
def test_what_is_not_clear_is_not_heeded(said: str) -> None:
    assert retry_after({"Retry-After": said}, now=lambda: _NOW) is None


def test_answer_that_does_not_say_asks_for_nothing() -> None:
    assert retry_after({}, now=lambda: _NOW) is None


def test_date_is_compared_with_the_answers_own_clock_where_it_tells() -> None:
    server = _NOW - 3600
    headers = {"Retry-After": formatdate(server + 20, usegmt=True), "Date": formatdate(server, usegmt=True)}
    assert retry_after(headers, now=lambda: _NOW) == 20.0


@given(said=st.text(), date=st.text())
def test_any_header_is_answered_with_a_bounded_wait_or_none(said: str, date: str) -> None:
    seconds = retry_after({"Retry-After": said, "Date": date}, now=lambda: _NOW)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_SECONDS
