"""The page and the pictures of a report, from figures alone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from html import escape
from html.parser import HTMLParser
from typing import Any

import pytest

from airflow_provider_permitocr.engine.analytics.figures import (
    CostLine,
    DayCount,
    ExpiringCount,
    FailureCount,
    Figures,
    FlagCount,
    HourLine,
)
from airflow_provider_permitocr.report.page import page
from airflow_provider_permitocr.report.pictures import PICTURES, poster
from airflow_provider_permitocr.report.shown import Shown, in_words

TODAY = date(2026, 11, 30)


def _figures(**changes: Any) -> Figures:
    cost = CostLine(TODAY, "daily <b>&", "taiwan", "CNY", "0.1", 12, 10, 1, 1_000_000)
    figures: dict[str, Any] = {
        **{"table": "permits", "today": TODAY, "timezone": "Asia/Shanghai"},
        "days": [
            DayCount(TODAY, "taiwan", 1_234),
            DayCount(TODAY - timedelta(days=40), None, 99),
            DayCount(None, None, 5),
        ],
        "expiring": [ExpiringCount("taiwan", 30, 7), ExpiringCount(None, 90, 2)],
        **{"people": 3, "names_differ": 2, "issues_differ": 1},
        "failures": [FailureCount("FailedOperation.ImageBlur", "failed", 8, "the image is blurred", None)],
        "flags": [FlagCount("name_mismatch", 6, 3, 2, 1, 0)],
        "costs": [
            cost,
            cost._replace(currency="USD", cost_micros=1_500),
            cost._replace(unit_price=None, cost_micros=None),
        ],
        "hours": [HourLine(datetime(2026, 11, 30, 1, tzinfo=UTC), 60, 59, 20, 450, 1_250)],
    }
    return Figures(**figures | changes)


EMPTY = _figures(
    **dict.fromkeys(("days", "expiring", "failures", "flags", "costs", "hours"), ()),
    **dict.fromkeys(("people", "names_differ", "issues_differ"), 0),
)


class _Texts(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open += [] if tag in ("meta", "path", "use") else [tag]

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "use"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.slow
def test_page_says_its_day_and_what_it_covers_and_has_the_numbers_beside_the_pictures() -> None:
    texts = " ".join(_Texts(page(_figures(), "Permits <1>")).texts)
    assert "Permits <1>" in texts
    assert "November 30, 2026 (Asia/Shanghai). Days and cost: 2026-11-01 to 2026-11-30" in texts
    for said in ("1,234", "2026-11-30 09:00", "0.45 s", "1.25 s", "1.00 CNY", "0.0015 USD", "daily <b>&"):
        assert said in texts, said
    assert "99" not in re.findall(r"\d+", " ".join(_Texts(page(_figures(), "")).texts.__iter__()))
    assert "3 document numbers occur under several keys: 2 with different names, 1 with issues" in texts
    assert "Not in the cost, as their billing is unknown: 3. 10 billed calls have no price." in texts


@pytest.mark.slow
@pytest.mark.parametrize("figures", [_figures(), EMPTY], ids=["filled", "empty"])
def test_page_is_well_formed_and_loads_nothing(figures: Figures) -> None:
    html = page(figures, "Permits")
    assert _Texts(html).open == []
    assert html.count("<svg") == len(PICTURES)
    loaded = re.findall(r"(?:src|href)=\"[^\"#][^\"]*|@import|url\([^#]|<script|<link", html)
    assert loaded == []
    ids = re.findall(r'\bid="([^"]+)"', html)
    shared = {each for each in ids if ids.count(each) > 1}
    assert not any(f"#{each}" in html for each in shared)


@pytest.mark.slow
@pytest.mark.parametrize("figures", [_figures(), EMPTY], ids=["filled", "empty"])
def test_poster_is_a_picture_of_readable_size(figures: Figures) -> None:
    png = poster(figures, "Permits")
    assert png.startswith(b"\x89PNG\r\n")
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    assert (width, height) == (1860, 1560)
    assert len(png) < 500_000


@pytest.mark.slow
@pytest.mark.parametrize("title", ["US$ and HK$", r"a$\b$", "50$ % $ ^"])
def test_titles_and_codes_with_dollar_signs_are_no_formulas(title: str) -> None:
    failure = FailureCount(title, "failed", 1, None, None)
    figures = _figures(failures=[failure])
    assert poster(figures, title).startswith(b"\x89PNG")
    assert page(figures, title).count(escape(title)) == 4  # title, heading, table and picture


@pytest.mark.slow
def test_page_and_poster_are_the_same_for_the_same_figures() -> None:
    assert page(_figures(), "a") == page(_figures(), "a")
    assert poster(_figures(), "a") == poster(_figures(), "a")


@pytest.mark.parametrize(
    ("micros", "words"),
    [
        (0, "0.00 CNY"),
        (1_500, "0.0015 CNY"),
        (1_234_560_000, "1,234.56 CNY"),
        (9_007_199_254_740_993, "9,007,199,254.740993 CNY"),
    ],
)
def test_money_is_shown_exactly(micros: int, words: str) -> None:
    assert in_words(micros, "CNY") == words


def test_money_of_several_currencies_is_never_added() -> None:
    shown = Shown(_figures())
    assert {each.currency: each.total for each in shown.money} == {"CNY": "1.00 CNY", "USD": "0.0015 USD"}
