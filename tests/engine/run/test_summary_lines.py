"""The log says a run's facts one by one, and warns where a person should act."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from airflow_provider_permitocr.engine.run.summary import RunSummary
from airflow_provider_permitocr.engine.run.summary_lines import summary_lines
from airflow_provider_permitocr.options.budget import Budget

SUMMARY = RunSummary(
    listed=1_200,
    skipped=1_000,
    statuses={"recognized": 190, "failed": 10},
    error_codes={"FailedOperation.ImageBlur": 10},
    calls=205,
    throttled=2,
    elapsed_seconds=10.25,
    billed=190,
    cost=Decimal("3.8"),
    currency="USD",
    delivered={"lake:public.permits": 200},
)


def said(summary: RunSummary) -> list[str]:
    return [line.text for line in summary_lines(summary) if not line.is_warning]


def warned(summary: RunSummary) -> list[str]:
    return [line.text for line in summary_lines(summary) if line.is_warning]


def test_each_fact_has_a_line_of_its_own() -> None:
    assert said(SUMMARY) == [
        "Images: 190 recognized, 10 failed; 1,000 of 1,200 settled before",
        "Calls: 205 in 0:00:10 (20.0 per second)",
        "Throttled: 2 calls",
        "Billed: 190 calls, 3.80 USD",
        "Written: 200 rows to lake:public.permits",
        "10 x FailedOperation.ImageBlur",
    ]
    assert warned(SUMMARY) == []


def test_a_run_with_nothing_to_do_says_little() -> None:
    assert said(RunSummary(5, 5, {}, {}, 0, 0, 0.1)) == [
        "Images: no new ones; 5 of 5 settled before",
        "Billed: no calls",
    ]


def test_a_cost_that_nobody_knows_names_what_is_missing() -> None:
    assert "Billed: 190 calls, cost unknown, no price_per_call" in said(replace(SUMMARY, cost=None))


def test_what_is_left_at_a_cap_is_a_warning() -> None:
    budget = Budget(max_calls_per_day=5, timezone="Asia/Shanghai")
    assert warned(replace(SUMMARY, left=87, cap=budget.reached(is_of_day=True))) == [
        "Up to 87 images are left for a later run: the runs that share the ledger have made today's 5 calls;"
        " more are allowed after midnight, Asia/Shanghai (max_calls_per_day)"
    ]


def test_a_code_that_a_person_can_fix_is_a_warning_that_says_how() -> None:
    codes = {"FailedOperation.ImageBlur": 3, "ImageNotFound": 2}
    (line,) = warned(replace(SUMMARY, error_codes=codes))
    assert line.startswith("2 x ImageNotFound: Most likely the paths belong to another machine or mount")


def test_an_image_that_stays_rejected_is_a_warning_and_one_that_runs_try_again_is_none() -> None:
    codes = {"ImageReferenceUnknown": 1, "ImageUnreadable": 2, "AnswerErased": 3}
    (line,) = warned(replace(SUMMARY, error_codes=codes))
    assert line.startswith("1 x ImageReferenceUnknown: Correct the list: an image is an http(s) URL")


def test_rows_that_need_a_person_are_warnings() -> None:
    lines = warned(replace(SUMMARY, refused=2, unread=4))
    assert lines == [
        "A result table refuses 2 rows; the log above says why",
        "4 images of earlier runs cannot be listed again; clear these runs",
    ]


def test_images_for_the_next_run_are_no_warning() -> None:
    assert "To try again: 3 images, by the next run of the list" in said(
        replace(SUMMARY, statuses={"retry": 3})
    )


def test_doubtful_readings_are_a_share_of_those_recognized() -> None:
    assert "Doubtful: 19 images (10.0% of those recognized) with a flag" in said(
        replace(SUMMARY, doubtful=19)
    )


def test_what_came_from_elsewhere_is_said() -> None:
    lines = said(replace(SUMMARY, reused=4, elsewhere=5, taken_up=6))
    assert lines[-4:-1] == [
        "Same picture: 4 images took another's answer, without a call",
        "Elsewhere: 5 images were done by another run meanwhile",
        "Taken up: 6 images that earlier runs left",
    ]
