"""Two connections in one process: neither gets anything of the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_permitocr import MainlandPermitOcrHook
from airflow_provider_permitocr.emulator.options import KeyPair
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.errors import AccountError

SetConnection = Callable[..., None]

FIRST = KeyPair("AKIDfirst", "first-key", account="100000000001")
SECOND = KeyPair("AKIDsecond", "second-key", account="100000000002")


@pytest.fixture
def emulator(start_label_emulator: Callable[..., RunningEmulator]) -> RunningEmulator:
    return start_label_emulator(keys=(FIRST, SECOND))


@pytest.fixture
def connect(emulator: RunningEmulator, set_connection: SetConnection) -> Callable[..., None]:
    def make(conn_id: str, pair: KeyPair, **extra: object) -> None:
        set_connection(
            conn_id,
            conn_type="tencentcloud",
            login=pair.secret_id,
            password=pair.secret_key,
            host=f"http://{emulator.endpoint}",
            extra=extra,
        )

    return make


@pytest.mark.parametrize("in_a_role", [False, True])
def test_each_hook_calls_in_its_own_account(
    emulator: RunningEmulator,
    connect: Callable[..., None],
    draw: Callable[..., Specimen],
    in_a_role: bool,
) -> None:
    for conn_id, pair in (("first", FIRST), ("second", SECOND)):
        role = {"role_arn": f"qcs::cam::uin/{pair.account}:roleName/reader"} if in_a_role else {}
        connect(conn_id, pair, **role)
    hooks = {
        "first": MainlandPermitOcrHook("first", max_per_second=500),
        "second": MainlandPermitOcrHook("second", max_per_second=500),
    }
    images = {"first": draw(seed=1).image, "second": draw(seed=2).image}

    def recognize(number: int) -> None:
        conn_id = ("first", "second")[number % 2]
        assert hooks[conn_id].recognize(images[conn_id])["status"] == "recognized"

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(recognize, range(40)))

    calls = [(each.account, each.image) for each in emulator.records() if each.action == "MainlandPermitOCR"]
    assert len(calls) == 40
    assert len(set(calls)) == 2
    assert (hooks["first"].account(), hooks["second"].account()) == (FIRST.account, SECOND.account)


def test_each_hook_keeps_its_own_pace(connect: Callable[..., None]) -> None:
    connect("first", FIRST, requests_per_slot=2)
    connect("second", SECOND, requests_per_slot=5)
    first, second = MainlandPermitOcrHook("first"), MainlandPermitOcrHook("second")
    assert first.run_options().pace.max_per_second == 2
    assert second.run_options().pace.max_per_second == 5
    assert first.run_options().pace.max_per_second == 2


def test_keys_that_are_refused_are_replaced_by_none_of_the_other(
    emulator: RunningEmulator, connect: Callable[..., None], front: Specimen
) -> None:
    connect("first", KeyPair(FIRST.secret_id, "wrong-key"))
    connect("second", SECOND)
    first, second = (MainlandPermitOcrHook(name, max_per_second=500) for name in ("first", "second"))
    assert second.recognize(front.image)["status"] == "recognized"
    with pytest.raises(AccountError):
        first.recognize(front.image)
    assert second.recognize(front.image)["status"] == "recognized"
    assert {each.account for each in emulator.records()} == {None, SECOND.account}
