from __future__ import annotations

import pytest

from airflow_provider_permitocr.options.targets.analytics import AnalyticsReport, fixed_offset, report_of


def test_picture_is_beside_the_page() -> None:
    assert AnalyticsReport("s3://bucket/{{ ds }}.html").picture_path == "s3://bucket/{{ ds }}.png"
    assert AnalyticsReport("/reports/Permits.HTML").picture_path == "/reports/Permits.png"


@pytest.mark.parametrize(("zone", "minutes"), [("Asia/Shanghai", 480), ("UTC", 0), ("Asia/Kolkata", 330)])
def test_zone_without_daylight_saving_time_has_one_offset(zone: str, minutes: int) -> None:
    assert fixed_offset(zone) == minutes


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Sydney"])
def test_zone_with_daylight_saving_time_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="changes its offset from UTC"):
        fixed_offset(zone)


def test_path_alone_is_a_report_with_defaults() -> None:
    assert report_of("/a.html") == AnalyticsReport("/a.html")
    assert report_of(None) is None


@pytest.mark.parametrize("path", ["/reports/../a.html", "", "/a.html/", "reports/a.html", "/a.png"])
def test_path_that_no_page_can_have_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="AnalyticsReport: path must"):
        AnalyticsReport(path)
