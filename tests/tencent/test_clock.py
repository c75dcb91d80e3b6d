from __future__ import annotations

import pytest

from airflow_provider_permitocr.tencent.transport import clock_fault, server_time

EXPIRED = "AuthFailure.SignatureExpire"


@pytest.mark.parametrize(
    ("own", "says"),
    [
        (1000.0 + 7 * 60, "7 minutes ahead"),
        (1000.0 - 400, "7 minutes behind"),
        (1e7, "166,650 minutes ahead"),
    ],
)
def test_a_clock_that_is_off_is_told_by_how_much(own: float, says: str) -> None:
    assert says in clock_fault(EXPIRED, 1000.0, own)


@pytest.mark.parametrize(
    ("code", "server", "own"),
    [
        ("AuthFailure.SignatureFailure", 1000.0, 9000.0),
        (EXPIRED, None, 9000.0),
        # The service means something else by it, such as an ended token.
        (EXPIRED, 1000.0, 1060.0),
    ],
)
def test_another_fault_is_not_put_on_the_clock(code: str, server: float | None, own: float) -> None:
    assert clock_fault(code, server, own) == ""


@pytest.mark.parametrize("date", ["", "soon", "Mon, 99 Foo", "9" * 5000])
def test_a_date_that_is_none_is_left_out(date: str) -> None:
    assert server_time({"Date": date}) is None
    assert server_time({}) is None


def test_a_date_is_read_as_gmt() -> None:
    assert server_time({"Date": "Thu, 01 Jan 1970 00:16:40 GMT"}) == 1000.0
    assert server_time({"Date": "Thu, 01 Jan 1970 00:16:40"}) == 1000.0
