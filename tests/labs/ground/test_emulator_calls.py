from __future__ import annotations

import json
from pathlib import Path

from airflow_provider_permitocr.permit.api import ACTION
from labs.ground.emulator_calls import Call, most_in_one_second, read_calls


def test_journal_is_read_without_the_calls_of_other_services(tmp_path: Path) -> None:
    line = {
        "request_id": "x",
        "time": 10.0,
        "seconds": 0.5,
        "image": "digest-a",
        "code": "OK",
        "answered": True,
        "billed": True,
    }
    refusal = {"image": None, "code": "RequestLimitExceeded", "answered": False, "billed": False}
    refused = {**line, **refusal, "action": ACTION}
    lines = [{**line, "action": ACTION, "trace_id": "call-1"}, refused, {**line, "action": "AssumeRole"}]
    file = tmp_path / "journal.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in lines))
    assert read_calls(file) == [
        Call(10.0, 10.5, "x", "digest-a", False, True, True, code="OK", trace_id="call-1"),
        Call(10.0, 10.5, "x", None, True, False, False, code="RequestLimitExceeded"),
    ]


def test_reads_the_calls_of_the_api_in_the_order_of_arrival(tmp_path: Path) -> None:
    line = {"request_id": "x", "image": "a", "code": "OK", "answered": True, "billed": True, "seconds": 0.25}
    lines = [
        line | {"action": "MainlandPermitOCR", "time": 12.0},
        line | {"action": "GetCallerIdentity", "time": 11.0},
        line
        | {"action": "MainlandPermitOCR", "time": 10.0, "code": "RequestLimitExceeded", "answered": False},
    ]
    journal = tmp_path / "journal.jsonl"
    journal.write_text("".join(json.dumps(each) + "\n" for each in lines))

    first, second = read_calls(journal)

    assert (first.arrived, first.throttled, first.answered) == (10.0, True, False)
    assert (second.finished, second.throttled, second.answered) == (12.25, False, True)


def test_the_most_arrivals_are_counted_in_whole_seconds_of_the_clock() -> None:
    times = (10.9, 11.0, 11.5, 11.99, 12.0)
    # One of them refused: that counts as well.
    calls = [Call(at, at, "x", None, at == 11.5, at != 11.5, at != 11.5) for at in times]
    assert most_in_one_second(calls) == 3
