"""Runs that last longer than their keys."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_permitocr import CallRetry
from airflow_provider_permitocr.emulator.options import (
    DEFAULT_ACCOUNT,
    DEFAULT_SECRET_ID,
    DEFAULT_SECRET_KEY,
    KeyPair,
)
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.wiring.connections import tencentcloud as hook_connection

ImageList = Callable[..., list[Specimen]]
Permits = Callable[[], dict[tuple[str, str], dict[str, Any]]]
Execute = Callable[..., dict[str, Any]]
Connect = Callable[..., None]
Start = Callable[..., RunningEmulator]

ROLE = f"qcs::cam::uin/{DEFAULT_ACCOUNT}:roleName/permit-reader"
FIRST, SECOND = "temporary-key-of-the-morning", "temporary-key-of-the-evening"


def statuses(permits: Permits) -> list[str]:
    return sorted(row["status"] for row in permits().values())


def faults(folder: Path, *rules: dict[str, Any]) -> Path:
    file = folder / "faults.json"
    file.write_text(json.dumps({"rules": rules}))
    return file


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [2, 3])
def test_a_run_that_outlives_the_keys_of_its_role_fails_no_image(
    execute: Execute,
    emulator: RunningEmulator,
    connect_emulator: Connect,
    image_list: ImageList,
    permits: Permits,
    seconds: int,
) -> None:
    connect_emulator(emulator, extra={"role_arn": ROLE, "role_seconds": seconds})
    image_list(45)

    summary = execute(max_per_second=5)

    assert statuses(permits) == ["recognized"] * 45
    lifetimes = summary["elapsed_seconds"] / seconds
    # STS tells the end in whole seconds, so a pair lasts up to one less, and is renewed at 3/4 of that.
    assert 3 <= emulator.stats()["by_action"]["AssumeRole"] <= lifetimes / 0.75 * 2 + 2
    # The latter where a busy machine sends late what it has signed in time.
    assert set(emulator.stats()["by_code"]) <= {"OK", "AuthFailure.TokenFailure"}
    assert emulator.stats()["answered"] == 45


@pytest.mark.slow
def test_an_sts_that_is_away_for_a_moment_fails_no_image(
    execute: Execute,
    start_label_emulator: Start,
    connect_emulator: Connect,
    image_list: ImageList,
    permits: Permits,
    tmp_path: Path,
) -> None:
    away = {"match": {"action": "AssumeRole", "calls": ["2-4"]}, "effect": {"http_status": 502}}
    emulator = start_label_emulator(faults=faults(tmp_path, away))
    connect_emulator(emulator, extra={"role_arn": ROLE, "role_seconds": 2})
    image_list(45)

    execute(max_per_second=10, call_retry=CallRetry(attempts=9))

    assert statuses(permits) == ["recognized"] * 45
    assert emulator.stats()["by_action"]["AssumeRole"] > 4


@pytest.mark.whole_runs
def test_a_role_that_may_not_be_assumed_stops_the_run_with_advice(
    execute: Execute,
    start_label_emulator: Start,
    connect_emulator: Connect,
    image_list: ImageList,
    permits: Permits,
    tmp_path: Path,
) -> None:
    refused = {"match": {"action": "AssumeRole"}, "effect": {"error": "UnauthorizedOperation"}}
    emulator = start_label_emulator(faults=faults(tmp_path, refused))
    connect_emulator(emulator, extra={"role_arn": ROLE})
    image_list(30)

    with pytest.raises(AirflowFailException, match=r"UnauthorizedOperation.*sts:AssumeRole"):
        execute()

    assert statuses(permits) == []
    assert emulator.stats()["calls"] == 0
    assert emulator.stats()["by_action"]["AssumeRole"] <= 20


class Expiring:
    """An emulator of two pairs of keys, of which the first ends when it is told to."""

    def __init__(self, start: Start, **first: str) -> None:
        self._ahead = 0.0
        # Within what clocks may differ for a signature.
        ends_at = time.time() + 200
        pairs = (
            KeyPair("AKIDfirst", FIRST, expires_at=ends_at, **first),
            KeyPair("AKIDsecond", SECOND, token="token-2"),
            KeyPair(DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY),
        )
        self.emulator = start(keys=pairs, clock=lambda: time.time() + self._ahead)

    def end(self) -> None:
        self._ahead = 250.0

    @property
    def answered(self) -> int:
        return int(self.emulator.stats()["answered"])

    @property
    def refused(self) -> int:
        return int(self.emulator.stats()["by_code"].get("AuthFailure.TokenFailure", 0))


@contextmanager
def meanwhile(*steps: tuple[Callable[[], bool], Callable[[], None]]) -> Iterator[None]:
    """Do one thing after the other in another thread, each as soon as its condition holds."""
    ended = threading.Event()

    def go() -> None:
        for condition, act in steps:
            while not condition():
                if ended.wait(0.01):
                    return
            act()

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.whole_runs
@pytest.mark.parametrize("refusals", [0, 1, 3], ids=["in time", "with the first refusal", "late"])
def test_keys_that_are_replaced_during_a_run_fail_no_image(
    execute: Execute,
    start_label_emulator: Start,
    connect_emulator: Connect,
    image_list: ImageList,
    permits: Permits,
    refusals: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image_list(25)
    service = Expiring(start_label_emulator, token="token-1")
    connect_emulator(service.emulator, login="AKIDfirst", password=FIRST, extra={"token": "token-1"})
    lookups = count_lookups(monkeypatch)

    def replace() -> None:
        connect_emulator(service.emulator, login="AKIDsecond", password=SECOND, extra={"token": "token-2"})

    end = (lambda: service.answered >= 10, service.end)
    late = (end, (lambda: service.refused >= refusals, replace))
    in_time = ((lambda: service.answered >= 5, replace), end)
    with meanwhile(*(late if refusals else in_time)):
        execute(max_per_second=15)

    assert statuses(permits) == ["recognized"] * 25
    assert service.refused >= max(1, refusals)
    # One at the start, and a few from the fault on, for all threads together.
    assert 2 <= len(lookups) <= 6


def count_lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lookups: list[str] = []
    find = hook_connection.find_connection

    def count(conn_id: str) -> Any:
        lookups.append(conn_id)
        return find(conn_id)

    monkeypatch.setattr(hook_connection, "find_connection", count)
    monkeypatch.setattr("airflow_provider_permitocr.wiring.cloud.find_connection", count)
    return lookups


@pytest.mark.whole_runs
def test_keys_that_nobody_replaces_stop_the_run_and_fail_no_image(
    execute: Execute,
    start_label_emulator: Start,
    connect_emulator: Connect,
    image_list: ImageList,
    permits: Permits,
) -> None:
    image_list(25)
    service = Expiring(start_label_emulator, token="token-1")
    connect_emulator(service.emulator, login="AKIDfirst", password=FIRST, extra={"token": "token-1"})

    with (
        meanwhile((lambda: service.answered >= 10, service.end)),
        pytest.raises(AirflowFailException, match="TokenFailure") as raised,
    ):
        execute(max_per_second=15)

    assert set(statuses(permits)) == {"recognized"}
    assert FIRST not in str(raised.value)
    assert "token-1" not in str(raised.value)


@pytest.mark.slow
def test_permanent_keys_that_were_replaced_assume_the_role_as_well(
    execute: Execute,
    start_label_emulator: Start,
    connect_emulator: Connect,
    image_list: ImageList,
    permits: Permits,
) -> None:
    image_list(30)
    service = Expiring(start_label_emulator)
    role = {"role_arn": ROLE, "role_seconds": 2}
    connect_emulator(service.emulator, login="AKIDfirst", password=FIRST, extra=role)

    def replace() -> None:
        connect_emulator(service.emulator, extra=role)
        service.end()

    with meanwhile((lambda: service.answered >= 5, replace)):
        execute(max_per_second=10)

    assert statuses(permits) == ["recognized"] * 30


@pytest.mark.whole_runs
def test_no_secret_of_a_role_is_logged(
    execute: Execute,
    start_label_emulator: Start,
    connect_emulator: Connect,
    image_list: ImageList,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    masked: list[Any] = []
    monkeypatch.setattr("airflow.sdk.log.mask_secret", lambda secret, name=None: masked.append(secret))
    caplog.set_level("DEBUG")
    emulator = start_label_emulator()
    connect_emulator(emulator, extra={"role_arn": ROLE, "role_seconds": 2})
    image_list(10)

    execute(max_per_second=4)

    logged = "\n".join(f"{each.getMessage()} {each.__dict__}" for each in caplog.records)
    # Airflow itself masks what is on connections.
    issued = {each for each in masked if isinstance(each, str)} - {DEFAULT_SECRET_KEY}
    assert len(issued) >= 4
    assert not [secret for secret in issued if secret in logged]
