"""The page in Airflow's frame, and behind a path."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from labs.ui.browser import Window, window
from tests.support.airflow_stand_in import StandIn, serve
from tests.support.recorded_runs import RecordedRun

pytestmark = pytest.mark.slow

_RUN: dict[str, Any] = {"dag_id": "permit_ocr_daily", "run_id": "monday", "task_id": "recognize_permits"}
_PAGE = f"/permitocr/ui/run.html?{urlencode(_RUN)}"


@pytest.fixture
def framed(airflow: StandIn, opened: Window, url: str) -> Window:
    airflow.add(RecordedRun(images=700).whole_record(), **_RUN)
    opened.page.goto(f"{url}/plugin/permitocr{_PAGE}")
    opened.page.frame_locator("iframe").locator(".stats").wait_for(timeout=10_000)
    return opened


def test_the_frame_looks_like_airflow_and_follows_its_theme(framed: Window) -> None:
    frame = framed.frame()
    background = "getComputedStyle(document.body).backgroundColor"
    assert frame.evaluate(background) == "rgb(1, 2, 3)"
    framed.page.evaluate(
        "document.documentElement.className = 'dark',"
        " document.documentElement.style.setProperty('--chakra-colors-bg', 'rgb(4, 5, 6)')"
    )
    frame.locator("html[data-theme=dark]").wait_for(timeout=5_000)
    assert frame.evaluate(background) == "rgb(4, 5, 6)"


def test_links_to_airflow_leave_the_frame(framed: Window) -> None:
    framed.frame().get_by_text("Task instance and logs").click()
    framed.page.wait_for_selector("#other", timeout=8_000)
    assert framed.page.url.endswith("/dags/permit_ocr_daily/runs/monday/tasks/recognize_permits")


def test_links_to_other_pages_stay_in_the_frame(framed: Window) -> None:
    framed.frame().get_by_role("link", name="Permit OCR").click()
    framed.page.frame_locator("iframe").locator("#tasks tbody tr").wait_for(timeout=8_000)
    assert "/plugin/permitocr" in framed.page.url


def test_a_frame_that_opens_the_menus_entry_alone_still_shows_the_run(
    airflow: StandIn, opened: Window, url: str
) -> None:
    airflow.opens_menu_alone = True
    airflow.add(RecordedRun(images=700).whole_record(), **_RUN)
    opened.page.goto(f"{url}/plugin/permitocr{_PAGE}")
    opened.page.frame_locator("iframe").get_by_text("of 700", exact=True).wait_for(timeout=10_000)
    opened.page.frame_locator("iframe").get_by_role("link", name="Permit OCR").click()
    opened.page.wait_for_timeout(1_500)
    assert opened.frame().url.endswith("index.html")


def test_behind_a_path_everything_is_found_there(airflow: StandIn, started: Any) -> None:
    airflow.add(RecordedRun(images=700).whole_record(), **_RUN)
    with serve(airflow, "/team/air") as url, window(started, url) as opened:
        opened.host = opened.host.partition("/")[0]
        opened.page.goto(f"{url}{_PAGE}")
        opened.page.wait_for_selector("text=of 700", timeout=8_000)
        links = opened.page.evaluate("[...document.links].map(link => link.pathname)")
        assert all(link.startswith("/team/air/") for link in links)
        assert opened.errors == []
