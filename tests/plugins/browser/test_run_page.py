"""The page of a run, as people meet it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from airflow_provider_permitocr.engine.progress.facts import TryFacts
from airflow_provider_permitocr.engine.progress.record import End, Recorded
from labs.ui.browser import Window, window
from tests.support.airflow_stand_in import StandIn
from tests.support.recorded_runs import RecordedRun

pytestmark = pytest.mark.slow

_RUN = {"dag_id": "permit_ocr_daily", "run_id": "monday", "task_id": "recognize_permits"}
#: Airflow's own names hold no slash.
_NAME = '"><img src=x onerror=document.title="hacked">'
_NASTY = f'{_NAME}<script>document.title="hacked"</script>'
_SHOWN = "#page[aria-busy=false]"


def address(url: str, **changed: str) -> str:
    return f"{url}/permitocr/ui/run.html?{urlencode(_RUN | changed)}"


def text_of(opened: Window, place: str, selector: str = f"{_SHOWN} .stats") -> str:
    """Open a page, and return what it says."""
    opened.page.goto(place)
    opened.page.wait_for_selector(selector, timeout=10_000)
    return str(opened.page.inner_text("main"))


def add(airflow: StandIn, record: Any, **special: Any) -> None:
    names = {name: special.pop(name, value) for name, value in _RUN.items()}
    airflow.add(record, **names, **special)


@pytest.mark.parametrize(("is_dark", "width"), [(False, 1280), (True, 1280), (False, 390)])
def test_a_running_task_shows_where_it_is_without_flaws(
    airflow: StandIn, started: Any, url: str, soon_before: datetime, is_dark: bool, width: int
) -> None:
    run = RecordedRun(images=12_000, started_at=soon_before, facts_changed={"flags": {"near_expiry": 7}})
    add(airflow, run.record(300), state="running")
    with window(started, url, is_dark=is_dark, width=width, timezone_id="UTC") as opened:
        text = text_of(opened, address(url))
        for each in (
            "5,880",
            "of 12,000",
            "quota 20/s",
            "Time left",
            "Throttled",
            "near expiry",
            "113.52 USD",
        ):
            assert each in text
        assert opened.page.get_by_text("Running", exact=True).count() == 1
        assert opened.flaws() == []
        assert opened.errors == []
        assert opened.strangers == []
        assert not opened.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert opened.page.evaluate("document.documentElement.dataset.theme") == (
            "dark" if is_dark else "light"
        )


def test_every_picture_has_its_numbers_beside_it(airflow: StandIn, opened: Window, url: str) -> None:
    add(airflow, RecordedRun(images=2_000).whole_record())
    text_of(opened, address(url))
    opened.page.keyboard.press("Tab")
    opened.page.get_by_text("Numbers", exact=True).focus()
    opened.page.keyboard.press("Enter")
    rows = opened.page.locator("#rate-numbers tbody tr")
    assert rows.count() > 20
    assert "19." in rows.nth(5).inner_text()
    pictures = opened.page.locator("svg[role=img]")
    assert all(pictures.nth(each).get_attribute("aria-label") for each in range(pictures.count()))


def test_what_is_open_stays_open_while_numbers_change(
    airflow: StandIn, opened: Window, url: str, soon_before: datetime
) -> None:
    run = RecordedRun(images=12_000, started_at=soon_before)
    add(airflow, run.record(100), state="running")
    text_of(opened, address(url))
    opened.page.get_by_text("List these images").first.click()
    summary = opened.page.get_by_text("Numbers", exact=True)
    summary.focus()
    add(airflow, run.record(300), state="running")
    opened.page.locator(".stat").get_by_text("5,880").wait_for(timeout=8_000)
    assert opened.page.locator("details[open] .sql").count() == 1
    assert opened.page.evaluate("document.activeElement.textContent") == "Numbers"


def test_codes_that_change_places_keep_what_is_open(
    airflow: StandIn, opened: Window, url: str, now: datetime
) -> None:
    codes = {"A": 5, "B": 4, "C": 1}
    record = RecordedRun(images=12_000, started_at=now - timedelta(seconds=20)).record(20)
    add(airflow, record | {"error_codes": codes}, state="running")
    text_of(opened, address(url))
    opened.page.locator("#sql-B-more summary").click()
    add(airflow, record | {"error_codes": codes | {"B": 9, "D": 7}}, state="running")
    opened.page.locator("#sql-D-more").wait_for(timeout=8_000)
    assert opened.page.locator("#errors h3").all_inner_texts() == ["B", "D", "A", "C"]
    assert opened.page.locator("#errors details[open]").get_attribute("id") == "sql-B-more"


def test_a_run_that_ends_is_shown_as_ended_and_asked_for_rarely(
    airflow: StandIn, opened: Window, url: str
) -> None:
    add(airflow, RecordedRun(images=500).whole_record())
    text = text_of(opened, address(url))
    assert "Success" in text
    assert "Duration" in text
    asked = len(airflow.asked)
    opened.page.wait_for_timeout(4_000)
    assert len(airflow.asked) == asked


def test_shards_are_shown_together_and_apart(
    airflow: StandIn, opened: Window, url: str, soon_before: datetime
) -> None:
    for number in range(50):
        run = RecordedRun(
            images=100, per_second=1, started_at=soon_before, recorded=Recorded(shard=f"{number + 1}/50")
        )
        add(airflow, run.record(60), state="running", map_index=number)
    text = text_of(opened, address(url), f"{_SHOWN} #shards")
    assert "3,000" in text
    assert "of 5,000" in text
    assert opened.page.locator("#shards tbody tr").count() == 50
    opened.page.get_by_text("Shard 7/50").click()
    opened.page.wait_for_selector("text=All shards")
    assert "60" in opened.page.inner_text(".stats")
    assert "shard 7/50" in opened.page.inner_text("h1")


@pytest.mark.parametrize("waiting", ["queued", "none"])
def test_numbers_of_some_shards_are_called_so(
    airflow: StandIn, opened: Window, url: str, waiting: str
) -> None:
    add(airflow, RecordedRun(images=100).whole_record(), map_index=0)
    add(airflow, None, map_index=1, state=None if waiting == "none" else waiting)
    add(airflow, None, map_index=2, state="failed")
    text = text_of(opened, address(url), f"{_SHOWN} #shards")
    assert "1 of 3 shards reported numbers" in text
    badge = opened.page.inner_text(".title .badge")
    assert badge == ("No status" if waiting == "none" else "Queued")


def test_a_thousand_shards_are_shown_as_they_are_read(airflow: StandIn, opened: Window, url: str) -> None:
    shard = RecordedRun(images=100)
    record = shard.whole_record()
    for number in range(1_000):
        add(airflow, record, map_index=number)
    airflow.hangs = 0.02
    text = text_of(opened, address(url), f"{_SHOWN} #shards")
    assert re.search(r"Reading: \d+ of 1,000 shards so far", text)
    airflow.hangs = 0.0
    opened.page.locator(".stats").get_by_text("of 100,000").wait_for(timeout=60_000)
    assert "Reading" not in opened.page.inner_text("main")
    assert opened.page.locator("#shards tbody tr").count() == 1_000


def test_a_shard_that_airflow_cannot_read_keeps_no_other_from_being_shown(
    airflow: StandIn, opened: Window, url: str
) -> None:
    for number in range(20):
        add(airflow, RecordedRun(images=100).whole_record(), map_index=number)
    airflow.broken_shards = set(range(6))
    text = text_of(opened, address(url), f"{_SHOWN} #shards")
    assert "HTTP status 500" in text
    assert "14 of 20 shards" in text


@pytest.mark.parametrize("map_index", ["{MAP_INDEX}", "-1", "", "x"])
def test_what_a_tabs_route_lacks_is_taken_as_absent(
    airflow: StandIn, opened: Window, url: str, map_index: str
) -> None:
    add(airflow, RecordedRun(images=100).whole_record())
    assert "of 100" in text_of(opened, address(url, map_index=map_index, tab="1"))


def test_no_name_is_read_as_markup(airflow: StandIn, opened: Window, url: str) -> None:
    run = RecordedRun(
        failing={_NASTY: ("failed", 0.5)},
        recorded=Recorded(tables=(_NASTY,), files=(_NASTY,), pool=_NASTY, shard=_NASTY),
        facts_changed={"flags": {_NASTY: 3}, "currency": _NASTY, "at_cap": _NASTY},
        sums_changed={"timezone": _NASTY, "cost_today": {_NASTY: 1}},
    )
    record = run.record(20, end=End(why=_NASTY, code=_NASTY)) | {"phase": _NASTY, "started_at": _NASTY}
    add(airflow, record, dag_id=_NAME, run_id=_NAME, task_id=_NAME, state=_NASTY)
    text = text_of(opened, address(url, dag_id=_NAME, run_id=_NAME, task_id=_NAME))
    assert _NASTY in text
    assert "hacked" not in opened.page.title().replace(_NAME, "")
    assert opened.page.locator("main img, main script").count() == 0
    opened.page.goto(f"{url}/permitocr/ui/index.html")
    opened.page.wait_for_selector("#tasks tbody tr")
    assert opened.page.locator("main img, main script").count() == 0
    assert opened.errors == []


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"form": 1, "state": "done"},
        {"statuses": None, "points": {"seconds": [1, 2, 3]}, "targets": [None, 7], "sums": {}, "caps": []},
        {"points": {"seconds": [0, 1e300, "x"], "calls": [1, -5, None]}, "started_at": "never", "done": "7"},
        {"total": 9.1e15, "done": 9e15, "calls": 9e15, "billed": 9007199254740991, "price": "1" * 40},
        {"error_codes": {"__proto__": 3, "constructor": 4, "toString": 5}, "price": "1e5", "quota": -1},
        {
            "points": {"seconds": [0, 1e300, 2e300], "calls": [0, 1e308, 2e300], "done": [-1e308, 0, 1e308]},
            "started_at": "2026-11-30T12:00:00Z",
        },
        {"points": {name: [*range(200_000)] for name in ("seconds", "done", "calls", "throttled")}},
        {"error_codes": {f"code-{number}": number for number in range(20_000)}, "files": ["x"] * 20_000},
    ],
    ids=["empty", "shortest", "broken", "odd", "huge", "prototype", "beyond time", "endless", "countless"],
)
def test_records_of_other_versions_are_shown_as_far_as_they_go(
    airflow: StandIn, opened: Window, url: str, record: dict[str, Any]
) -> None:
    add(airflow, record)
    text = text_of(opened, address(url))
    for each in ("NaN", "undefined", "Infinity", "[object"):
        assert each not in text
    assert opened.errors == []


def test_long_names_do_not_widen_the_page(airflow: StandIn, started: Any, url: str) -> None:
    long = "Quite" * 60
    run = RecordedRun(failing={long[:110]: ("failed", 0.5)}, recorded=Recorded(tables=(long,), files=(long,)))
    add(airflow, run.record(20), dag_id=long, run_id=long, task_id=long)
    with window(started, url, width=390, height=800) as opened:
        text_of(opened, address(url, dag_id=long, run_id=long, task_id=long))
        assert not opened.page.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_a_newer_record_says_that_the_page_is_older(airflow: StandIn, opened: Window, url: str) -> None:
    add(airflow, RecordedRun().whole_record() | {"form": 99})
    assert "newer version of the provider" in text_of(opened, address(url))


def test_a_killed_task_is_not_shown_as_running(airflow: StandIn, opened: Window, url: str) -> None:
    add(airflow, RecordedRun(images=9_000).record(60), state="failed")
    text = text_of(opened, address(url))
    assert "The run failed." in text
    assert "Time left" not in text


def test_a_killed_task_that_waits_for_its_next_try_is_not_shown_as_running(
    airflow: StandIn, opened: Window, url: str
) -> None:
    add(airflow, RecordedRun(images=9_000).record(60), state="up_for_retry")
    text = text_of(opened, address(url))
    assert "Up for retry" in text
    for each in ("Time left", "In flight", "No news"):
        assert each not in text


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_workers_clock_does_not_matter(
    airflow: StandIn, opened: Window, url: str, now: datetime, minutes: int
) -> None:
    run = RecordedRun(images=9_000, started_at=now + timedelta(minutes=minutes))
    add(airflow, run.record(60), state="running", pushed=(now - timedelta(seconds=4)).isoformat())
    text = text_of(opened, address(url))
    assert "updated 4 s ago" in text
    assert "No news" not in text
    add(airflow, run.record(60), state="running", pushed=(now - timedelta(seconds=90)).isoformat())
    opened.page.wait_for_selector("text=No news for 1 min.", timeout=8_000)


def test_a_task_that_is_silent_is_said_to_be_so(
    airflow: StandIn, opened: Window, url: str, now: datetime
) -> None:
    run = RecordedRun(images=9_000, started_at=now - timedelta(minutes=20))
    add(airflow, run.record(60), state="running")
    assert "No news for 19 min" in text_of(opened, address(url))


def test_an_account_fault_is_shown_with_what_to_do(airflow: StandIn, opened: Window, url: str) -> None:
    end = End(why="AccountError", code="ResourceUnavailable.InArrears")
    add(airflow, RecordedRun().record(9, end=end), state="failed")
    text = text_of(opened, address(url))
    assert "the account has no money left" in text
    assert "Recharge the account" in text


def test_a_cap_is_shown_with_what_it_leaves_and_when_it_resets(
    airflow: StandIn, opened: Window, url: str
) -> None:
    changed = {"cap_of_day": 300, "at_cap": "day"}
    add(airflow, RecordedRun(facts_changed=changed, sums_changed={"calls_today": 300}).record(16, end=End()))
    text = text_of(opened, address(url))
    assert "Today's cap of 300 calls is reached." in text
    assert "0 left; resets at midnight Asia/Shanghai, in 3 h 30 min" in text


def test_a_cap_of_an_earlier_day_is_not_called_todays(
    airflow: StandIn, opened: Window, url: str, now: datetime
) -> None:
    run = RecordedRun(
        started_at=now - timedelta(days=40),
        facts_changed={"cap_of_day": 300, "at_cap": "day"},
        sums_changed={"calls_today": 300},
    )
    add(airflow, run.record(16, end=End()))
    text = text_of(opened, address(url))
    assert "The cap of 300 calls a day was reached on 2026-10-21." in text
    assert "Calls of the account on 2026-10-21" in text
    assert "as of Oct 21" in text
    for each in ("today", "Today", "this month", "in –"):
        assert each not in text


def test_a_fault_of_an_unlisted_kind_is_explained_by_its_family(
    airflow: StandIn, opened: Window, url: str
) -> None:
    codes = opened.page.request.get(f"{url}/permitocr/codes").json()
    prefix = next(code for code, each in codes.items() if each["prefix"] and each["reason"])
    add(airflow, RecordedRun().record(9, end=End(why="AccountError", code=f"{prefix}.Odd")), state="failed")
    assert codes[prefix]["reason"] in text_of(opened, address(url))


def test_sql_quotes_names_and_codes(airflow: StandIn, opened: Window, url: str) -> None:
    run = RecordedRun(
        failing={"it's; DROP TABLE x --": ("failed", 0.5)},
        recorded=Recorded(tables=('mart.odd "name"',)),
    )
    add(airflow, run.record(20), run_id="o'clock")
    text_of(opened, address(url, run_id="o'clock"))
    opened.page.get_by_text("List these images").click()
    sql = opened.page.inner_text(".sql code")
    assert 'FROM mart."odd ""name"""' in sql
    assert "attempt_code = 'it''s; DROP TABLE x --'" in sql
    assert "run_id = 'o''clock'" in sql


def test_sql_is_copied_by_keyboard(airflow: StandIn, started: Any, url: str) -> None:
    add(airflow, RecordedRun().whole_record())
    with window(started, url, permissions=["clipboard-read", "clipboard-write"]) as opened:
        text_of(opened, address(url))
        opened.page.get_by_text("List these images").first.press("Enter")
        opened.page.get_by_role("button", name="Copy the SQL for FailedOperation.ImageNoSpecifiedCard").press(
            "Enter"
        )
        opened.page.wait_for_selector("text=Copied")
        copied = opened.page.evaluate("navigator.clipboard.readText()")
        assert "FROM permits\nWHERE attempt_code = 'FailedOperation.ImageNoSpecifiedCard'" in copied


def test_tries_are_side_by_side(airflow: StandIn, opened: Window, url: str) -> None:
    run = RecordedRun(recorded=Recorded(try_number=3))
    add(airflow, run.whole_record(), try_number=3)
    text_of(opened, address(url), "#tries")
    rows = opened.page.locator("#tries tbody tr").all_inner_texts()
    assert len(rows) == 3
    assert "Failed" in rows[0]
    assert "965" in rows[2]  # calls that were billed


def test_a_runs_cost_is_that_of_all_its_tries(
    airflow: StandIn, opened: Window, url: str, now: datetime
) -> None:
    tries = tuple(
        TryFacts(
            number=number, calls=calls, billed=calls - 10, answered=calls - 10, began_at=now, ended_at=now
        )
        for number, calls in ((1, 60), (2, 500))
    )
    run = RecordedRun(images=100, failing={}, recorded=Recorded(try_number=2), sums_changed={"tries": tries})
    add(airflow, run.whole_record(), try_number=2)
    text = text_of(opened, address(url))
    assert "3.00 USD" in text
    assert "150 billed, all tries" in text
    assert "Calls, all tries\n161" in text.replace("\n\n", "\n")
    opened.page.goto(f"{url}/permitocr/ui/index.html")
    opened.page.locator("#runs").get_by_text("3.00 USD").wait_for(timeout=8_000)


def test_a_run_that_waits_says_so(
    airflow: StandIn, opened: Window, url: str, now: datetime, soon_before: datetime
) -> None:
    run = RecordedRun(images=9_000, started_at=soon_before)
    record = run.record(300)
    points = {name: values[-3:] for name, values in record["points"].items()}
    points |= {"seconds": [240, 270, 300], "calls": [5_000, 5_000, 5_000]}
    add(airflow, record, state="running")
    assert "is waiting" not in text_of(opened, address(url))
    add(airflow, record | {"points": points, "in_flight": 0}, state="running")
    opened.page.wait_for_selector("text=The run is waiting", timeout=8_000)


def _at_cap() -> dict[str, Any]:
    changed = {"cap_of_day": 300, "at_cap": "day"}
    return RecordedRun(facts_changed=changed).record(16, end=End(why="CapReachedError"))


def test_a_try_whose_entry_is_gone_is_shown_until_the_next(
    airflow: StandIn, opened: Window, url: str
) -> None:
    add(airflow, None, try_number=2, state="up_for_retry")
    airflow.stored[_RUN["dag_id"], _RUN["run_id"], _RUN["task_id"], -1] = _at_cap()
    text = text_of(opened, address(url))
    assert "The next try has not started." in text
    assert "Today's cap of 300 calls is reached." in text
    assert "313" in text
    opened.page.goto(f"{url}/permitocr/ui/index.html")
    opened.page.locator("#tasks").get_by_text("313 of 1,000").wait_for(timeout=8_000)
    assert "Up for retry" in opened.page.inner_text("#tasks")


def test_shards_whose_entries_are_gone_are_shown_until_their_next_try(
    airflow: StandIn, opened: Window, url: str
) -> None:
    for shard in (0, 1):
        add(airflow, None, map_index=shard, try_number=2, state="up_for_retry")
        airflow.stored[_RUN["dag_id"], _RUN["run_id"], _RUN["task_id"], shard] = _at_cap()
    assert "626" in text_of(opened, address(url))
    opened.page.goto(f"{url}/permitocr/ui/index.html")
    opened.page.locator("#tasks").get_by_text("Up for retry").wait_for(timeout=8_000)


def test_numbers_of_the_try_before_are_called_so(airflow: StandIn, opened: Window, url: str) -> None:
    add(airflow, RecordedRun().record(30), try_number=2, state="queued")
    assert "A new try has not reported yet." in text_of(opened, address(url))


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ("queued", "has not started"),
        ("running", "is starting"),
        ("failed", "recorded no progress"),
        ("up_for_retry", "waits for its next try"),
    ],
)
def test_a_task_without_a_record_says_why(
    airflow: StandIn, opened: Window, url: str, state: str, says: str
) -> None:
    add(airflow, None, state=state)
    assert says in text_of(opened, address(url), f"{_SHOWN} .notice")
    assert opened.page.locator(".stats").count() == 0


@pytest.mark.parametrize(
    ("changed", "says"),
    [({"run_id": "deleted"}, "There is no such run."), ({"task_id": "renamed"}, "has no such task.")],
)
def test_a_run_that_is_not_there_is_said_to_be_gone(
    airflow: StandIn, opened: Window, url: str, changed: dict[str, str], says: str
) -> None:
    add(airflow, RecordedRun(images=100).whole_record())
    assert says in text_of(opened, address(url, **changed), f"{_SHOWN} .notice")


def test_a_record_in_an_xcom_backend_is_said_to_be_there(airflow: StandIn, opened: Window, url: str) -> None:
    add(airflow, "s3://bucket/xcom/permitocr_progress")
    assert "custom XCom backend" in text_of(opened, address(url), f"{_SHOWN} .notice")


def test_who_may_not_read_the_dag_is_told_which_right_is_missing(
    airflow: StandIn, opened: Window, url: str
) -> None:
    add(airflow, RecordedRun().whole_record())
    airflow.forbidden = {"permit_ocr_daily"}
    text = text_of(opened, address(url), f"{_SHOWN} .notice")
    assert "You may not see these numbers." in text
    assert "permit_ocr_daily" in text
    assert "Success" not in text


def test_who_is_not_logged_in_is_sent_to_the_login(airflow: StandIn, opened: Window, url: str) -> None:
    add(airflow, RecordedRun().whole_record())
    airflow.is_logged_out = True
    opened.page.goto(address(url))
    opened.page.wait_for_selector("text=Login", timeout=8_000)
    assert "next=http" in opened.page.url


def test_a_session_that_expires_keeps_the_numbers_and_offers_the_login(
    airflow: StandIn, opened: Window, url: str, soon_before: datetime
) -> None:
    add(airflow, RecordedRun(images=12_000, started_at=soon_before).record(300), state="running")
    text_of(opened, address(url))
    airflow.is_logged_out = True
    opened.page.wait_for_selector("text=You are logged out.", timeout=8_000)
    assert "5,880" in opened.page.inner_text("main")
    opened.page.get_by_role("button", name="Log in again").click()
    opened.page.wait_for_selector("h1:text('Login')", timeout=8_000)


def test_an_airflow_that_hangs_is_said_to_do_so(
    airflow: StandIn, opened: Window, url: str, soon_before: datetime
) -> None:
    add(airflow, RecordedRun(images=12_000, started_at=soon_before).record(300), state="running")
    opened.page.add_init_script(
        "AbortSignal.timeout = () => { const c = new AbortController();"
        " setTimeout(() => c.abort(), 1000); return c.signal; }"
    )
    text_of(opened, address(url))
    airflow.hangs = 3.0
    opened.page.wait_for_selector("text=Airflow's API does not answer.", timeout=10_000)
    assert "5,880" in opened.page.inner_text("main")
    airflow.hangs = 0.0
    opened.page.wait_for_selector("text=Airflow's API does not answer.", state="detached", timeout=30_000)


def test_an_address_that_names_no_run_leads_to_all_runs(opened: Window, url: str) -> None:
    opened.page.goto(f"{url}/permitocr/ui/run.html?dag_id={{DAG_ID}}")
    opened.page.wait_for_selector("text=This address names no run.")
    opened.page.get_by_text("See all runs").click()
    opened.page.wait_for_selector("text=No run has recorded its progress yet.")


def test_costs_are_exact(opened: Window, url: str) -> None:
    opened.page.goto(f"{url}/permitocr/ui/index.html")
    money = opened.page.evaluate(
        "import('/permitocr/ui/js/format.js').then(f => ["
        " f.money(f.times('0.0015', 10000), 'USD'), f.money(f.times('0.1', 3)),"
        " f.money(f.sum(['0.1', '0.2'])), f.money(f.times('0.02', 1234567), 'CNY'), f.money('abc'),"
        " f.percent(1, 3000), f.percent(2999, 3000), f.duration(3725), f.duration(NaN)])"
    )
    assert money == [
        "15.00 USD",
        "0.30",
        "0.30",
        "24,691.34 CNY",
        "–",
        "< 0.1 %",
        "> 99.9 %",
        "1 h 02 min",
        "–",
    ]


def test_a_task_that_was_cleared_in_a_paused_dag_keeps_its_tries(
    airflow: StandIn, opened: Window, url: str
) -> None:
    add(airflow, RecordedRun(recorded=Recorded(try_number=2)).whole_record(), try_number=2)
    listed = airflow._tries(_RUN["dag_id"], _RUN["run_id"], _RUN["task_id"])["task_instances"]
    add(airflow, RecordedRun(recorded=Recorded(try_number=2)).whole_record(), try_number=2, state=None)
    cleared = [*listed, listed[-1] | {"state": None}]
    opened.page.route("**/tries", lambda route: route.fulfill(json={"task_instances": cleared}))
    text_of(opened, address(url), "#tries")
    states = [row.split("\t")[1].strip() for row in opened.page.locator("#tries tbody tr").all_inner_texts()]
    assert states == ["Failed", "Success"]


def test_a_try_that_airflow_has_not_listed_yet_replaces_no_other(
    airflow: StandIn, opened: Window, url: str
) -> None:
    add(airflow, RecordedRun(recorded=Recorded(try_number=2)).whole_record(), try_number=2)
    listed = airflow._tries(_RUN["dag_id"], _RUN["run_id"], _RUN["task_id"])
    opened.page.route("**/tries", lambda route: route.fulfill(json=listed))
    add(airflow, RecordedRun(recorded=Recorded(try_number=2)).whole_record(), try_number=3, state="queued")
    text_of(opened, address(url), "#tries")
    states = [row.split("\t")[1].strip() for row in opened.page.locator("#tries tbody tr").all_inner_texts()]
    assert states == ["Failed", "Success"]
