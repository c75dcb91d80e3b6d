from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.options.lists.image_access import ImageAccess
from airflow_provider_permitocr.options.run import Batch, CallRetry, Pace, RunOptions

NAN, INFINITE = math.nan, math.inf


@pytest.mark.parametrize(
    ("option", "values", "named"),
    [
        *((Pace, {"max_per_second": value}, "max_per_second") for value in (0, -1, NAN, INFINITE)),
        *((Pace, {"max_per_second": 1, "max_in_flight": value}, "max_in_flight") for value in (0, -1, 1.5)),
        *((Pace, {"max_per_second": 1, "phase": value}, "phase") for value in (-0.1, 1.0, NAN)),
        *((CallRetry, {"attempts": value}, "attempts") for value in (0, -1)),
        *((CallRetry, {"base_seconds": value}, "base_seconds") for value in (-0.1, NAN)),
        *((CallRetry, {"max_wait_seconds": value}, "max_wait_seconds") for value in (-1, NAN)),
        *((CallRetry, {"max_seconds": value}, "max_seconds") for value in (-1, NAN)),
        *((CallRetry, {"max_throttled_seconds": value}, "max_throttled_seconds") for value in (-1, NAN)),
        *((Batch, {"rows": value}, "rows") for value in (0, -1)),
        *((Batch, {"seconds": value}, "seconds") for value in (0, -1, NAN)),
        *((Batch, {"patience_seconds": value}, "patience_seconds") for value in (-1, NAN, INFINITE)),
        *(
            (RunOptions, {"pace": Pace(1), "max_runs_per_image": value}, "max_runs_per_image")
            for value in (0, -1)
        ),
    ],
)
def test_an_impossible_option_is_refused_by_its_name_and_value(
    option: type, values: dict[str, Any], named: str
) -> None:
    value = list(values.values())[-1]
    with pytest.raises(ValueError, match=rf"{named} must be .*{value!r}"):
        option(**values)


@pytest.mark.parametrize("option", [Pace(1), CallRetry(), Batch(), RunOptions(Pace(1)), ImageAccess()])
def test_options_cannot_be_changed(option: Any) -> None:
    name = dataclasses.fields(option)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(option, name, 7)


def test_no_retry_and_no_wait_are_possible() -> None:
    CallRetry(attempts=1, base_seconds=0, max_wait_seconds=0, max_throttled_seconds=0)


@pytest.mark.parametrize(("max_per_second", "at_once"), [(0.1, 4), (1, 4), (2.5, 8), (20, 60), (500, 128)])
def test_by_default_enough_may_be_in_flight_for_three_seconds_a_call(
    max_per_second: float, at_once: int
) -> None:
    assert Pace(max_per_second).at_once == at_once


@given(st.floats(min_value=1e-3, max_value=1e9))
def test_by_default_the_number_in_flight_is_bounded(max_per_second: float) -> None:
    assert 4 <= Pace(max_per_second).at_once <= 128


def test_the_number_in_flight_can_be_chosen() -> None:
    assert Pace(20, max_in_flight=3).at_once == 3


@pytest.mark.parametrize(
    "host",
    [
        *("http://images.example.com", "images.example.com/", "images.example.com:8080", "[::1]:80"),
        *("10.0.0.0/8", "*.example.com", "me@images.example.com", "a, b", "", "a.example?", None, 7),
    ],
)
def test_what_is_no_bare_host_is_refused_before_it_could_settle_a_list(host: Any) -> None:
    with pytest.raises(ValueError, match=r"fetch_hosts must hold hosts such as"):
        ImageAccess(fetch_hosts=("images.example.com", host))


def test_hosts_are_a_list_that_is_not_empty() -> None:
    hosts = [
        "images.example.com",
        ".example.com",
        "10.0.0.7",
        "::1",
        "[fd00::7]",
        "bücher.example",
        "intranet",
    ]
    assert ImageAccess(fetch_hosts=hosts).fetch_hosts == tuple(hosts)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="fetch_hosts is empty"):
        ImageAccess(fetch_hosts=())
    with pytest.raises(ValueError, match="must be a list of hosts, or None, not 'images"):
        ImageAccess(fetch_hosts="images.example.com")  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [{"a.example", "b.example"}, frozenset("a"), {"a": 1}, iter(["a"]), 7])
def test_hosts_without_an_order_are_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="fetch_hosts must be a list of hosts, or None, not "):
        ImageAccess(fetch_hosts=given)


@pytest.mark.parametrize("seconds", [0, -1, NAN, INFINITE, 86_401])
def test_time_for_a_download_is_more_than_nothing_and_no_more_than_a_day(seconds: float) -> None:
    with pytest.raises(ValueError, match="fetch_seconds must be"):
        ImageAccess(fetch_seconds=seconds)


@pytest.mark.parametrize(
    "root", ["/", "/data/permits", "/data/permits/", "file:///data", "s3://scans", "s3://lake@scans/permits/"]
)
def test_a_root_of_images_is_a_directory_or_what_urls_begin_with(root: str) -> None:
    assert ImageAccess(roots=[root]).roots == (root,)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "root",
    [
        *(
            "",
            "permits",
            "./permits",
            "/data/../etc",
            "s3://",
            "s3:///permits",
            "file://host/data",
            "file:data",
        ),
        *("https://images.example.com/", "/data/{{ dag_run.conf.place }}", "/data/\x00", 5, None),
    ],
)
def test_what_could_be_no_root_of_images_is_refused(root: Any) -> None:
    with pytest.raises(ValueError, match="ImageAccess: roots must hold"):
        ImageAccess(roots=("/data", root))
    with pytest.raises(ValueError, match="ImageAccess: roots must be a list"):
        ImageAccess(roots="/data")  # type: ignore[arg-type]
