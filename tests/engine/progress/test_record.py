"""The record that Airflow's page reads: small, plain, and without anybody's data."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

import airflow_provider_permitocr
from airflow_provider_permitocr.engine.progress.facts import TargetFacts
from airflow_provider_permitocr.engine.progress.record import OTHER_CODES, End, Recorded
from tests.support.recorded_runs import RecordedRun

_STATIC = Path(airflow_provider_permitocr.__file__).parent / "plugins" / "static"


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [3_600, pytest.param(86_400, marks=pytest.mark.slow)])
def test_a_record_with_all_that_it_may_hold_takes_a_few_kilobytes(seconds: int) -> None:
    codes = {f"FailedOperation.{'Quite' * 8}Long{number}": number + 1 for number in range(200)}
    run = RecordedRun(
        images=1_700_000,
        recorded=Recorded(shard="3/4", pool="p" * 200, tables=["t" * 128] * 20, files=["f" * 500] * 20),
        facts_changed={
            "error_codes": codes,
            "flags": codes,
            "targets": tuple(TargetFacts(name=f"warehouse:{number}") for number in range(30)),
        },
    )
    whole = json.dumps(run.record(seconds, end=End(why="TooManyFailuresError")))
    usual = json.dumps(RecordedRun(images=1_700_000).record(seconds))
    assert len(usual) < 6_000
    assert len(whole) < 20_000


def test_rare_codes_become_one_sum_and_no_image_is_lost() -> None:
    codes = {f"code-{number:03}": number + 1 for number in range(100)}
    record = RecordedRun(facts_changed={"error_codes": codes}).record(10)
    assert sum(record["error_codes"].values()) == sum(codes.values())
    assert record["error_codes"]["code-099"] == 100
    assert record["error_codes"][OTHER_CODES] == sum(range(1, 71))


@pytest.mark.parametrize(
    ("end", "state"), [(None, "running"), (End(), "done"), (End(why="AccountError"), "failed")]
)
def test_a_record_says_how_its_run_has_ended(end: End | None, state: str) -> None:
    assert RecordedRun().record(10, end=end)["state"] == state


def test_amounts_are_texts_so_that_no_digit_is_lost() -> None:
    record = RecordedRun().record(10, end=End())
    assert (record["price"], record["currency"]) == ("0.02", "USD")
    assert record["sums"]["cost_today"]["USD"] == "3.84"


def test_the_page_reads_every_field_of_a_record() -> None:
    record = RecordedRun().record(30)
    read = (_STATIC / "js" / "record.js").read_text("utf-8")
    # These say who wrote a record, and what it took; the page shows neither.
    silent = {"reporting", "unpriced_today", "unpriced_month"}
    names = {*record, *record["sums"], *record["caps"], *record["targets"][0]} - silent
    missing = {name for name in names if not re.search(rf"\.{name}\b", read)}
    assert missing == set()
    for name in record["points"]:
        assert f'"{name}"' in read


def test_a_ledger_that_cannot_be_added_up_leaves_the_sums_out() -> None:
    assert replace(RecordedRun(), sums_changed=None).record(10)["sums"] is None
