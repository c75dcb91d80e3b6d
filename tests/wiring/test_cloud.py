from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_permitocr import CallRetry, MainlandPermitOcrHook
from airflow_provider_permitocr.emulator.options import DEFAULT_ACCOUNT
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.errors import AccountError, PermitOcrError

Connect = Callable[..., None]

ROLE = f"qcs::cam::uin/{DEFAULT_ACCOUNT}:roleName/permit-reader"


def sts_failing(
    start: Callable[..., RunningEmulator], folder: Path, calls: list[int] | None, effect: dict[str, object]
) -> RunningEmulator:
    """Start an emulator that fails to say who asks, in these calls; None: in all."""
    match = {"action": "GetCallerIdentity"} | ({"calls": calls} if calls else {})
    faults = folder / "faults.json"
    faults.write_text(json.dumps({"rules": [{"match": match, "effect": effect}]}))
    return start(faults=faults)


def test_the_account_of_the_connection_goes_before_what_sts_says(
    emulator: RunningEmulator, connect_emulator: Connect
) -> None:
    connect_emulator(emulator, extra={"account": 100000000099})
    assert MainlandPermitOcrHook().account() == "100000000099"
    assert emulator.stats()["by_action"] == {}


@pytest.mark.parametrize("extra", [{}, {"account": " "}, {"role_arn": ROLE}])
def test_without_it_sts_tells_the_account(
    emulator: RunningEmulator, connect_emulator: Connect, extra: dict[str, str]
) -> None:
    connect_emulator(emulator, extra=extra)
    assert MainlandPermitOcrHook().account() == DEFAULT_ACCOUNT
    assert emulator.stats()["calls"] == 0


@pytest.mark.parametrize("effect", [{"error": "InternalError"}, {"http_status": 502}])
def test_an_sts_that_fails_for_a_moment_is_asked_again(
    start_label_emulator: Callable[..., RunningEmulator],
    connect_emulator: Connect,
    tmp_path: Path,
    effect: dict[str, object],
) -> None:
    connect_emulator(sts_failing(start_label_emulator, tmp_path, [1, 2], effect))
    assert MainlandPermitOcrHook(call_retry=CallRetry(base_seconds=0)).account() == DEFAULT_ACCOUNT


def test_an_sts_is_asked_as_often_as_an_image_and_the_error_says_what_to_do(
    start_label_emulator: Callable[..., RunningEmulator], connect_emulator: Connect, tmp_path: Path
) -> None:
    emulator = sts_failing(start_label_emulator, tmp_path, None, {"error": "InternalError"})
    connect_emulator(emulator)
    with pytest.raises(PermitOcrError, match=r"'tencentcloud_default'.*field account") as caught:
        MainlandPermitOcrHook(call_retry=CallRetry(attempts=4, base_seconds=0)).account()
    assert not isinstance(caught.value, AccountError)
    assert emulator.stats()["by_action"] == {"GetCallerIdentity": 4}


def test_an_sts_that_cannot_be_reached_may_be_asked_later(
    emulator: RunningEmulator, connect_emulator: Connect
) -> None:
    connect_emulator(emulator, host="http://127.0.0.1:1")
    with pytest.raises(PermitOcrError, match=r"'tencentcloud_default'.*field account") as caught:
        MainlandPermitOcrHook(call_retry=CallRetry(base_seconds=0)).account()
    assert not isinstance(caught.value, AccountError)


def test_keys_that_sts_refuses_are_the_accounts_fault(
    emulator: RunningEmulator, connect_emulator: Connect
) -> None:
    connect_emulator(emulator, password="wrong-word")
    with pytest.raises(AccountError, match=r"SignatureFailure.*Correct SecretId") as caught:
        MainlandPermitOcrHook().account()
    assert "wrong-word" not in str(caught.value)


def test_the_test_button_tries_the_role(emulator: RunningEmulator, connect_emulator: Connect) -> None:
    connect_emulator(emulator, extra={"role_arn": ROLE, "role_session_name": "button"})
    works, message = MainlandPermitOcrHook().test_connection()
    assert works
    assert "assumed-role" in message


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"role_arn": "permit-reader"}, "role_arn must be of the form"),
        ({"role_arn": ROLE, "role_seconds": 2.5}, "role_seconds must be a whole number"),
    ],
)
def test_the_test_button_tells_what_is_wrong_with_the_role(
    emulator: RunningEmulator, connect_emulator: Connect, extra: dict[str, object], says: str
) -> None:
    connect_emulator(emulator, extra=extra)
    works, message = MainlandPermitOcrHook().test_connection()
    assert not works
    assert says in message


def test_the_button_the_account_and_the_calls_share_the_keys_of_a_role(
    emulator: RunningEmulator, connect_emulator: Connect, front: Specimen
) -> None:
    connect_emulator(emulator, extra={"role_arn": ROLE})
    hook = MainlandPermitOcrHook(max_per_second=100)
    hook.test_connection()
    hook.account()
    for _ in range(3):
        assert hook.recognize(front.image)["status"] == "recognized"
    assert emulator.stats()["by_action"]["AssumeRole"] == 1


def test_keys_that_sts_issued_are_masked_in_logs(
    emulator: RunningEmulator, connect_emulator: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked: list[str | None] = []
    monkeypatch.setattr("airflow.sdk.log.mask_secret", lambda secret, name=None: masked.append(secret))
    connect_emulator(emulator, extra={"role_arn": ROLE})
    keys = MainlandPermitOcrHook()._keys.current()
    assert masked[-2:] == [keys.secret_key, keys.token]
