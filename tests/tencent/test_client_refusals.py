from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from airflow_provider_permitocr.emulator.options import KeyPair
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen, draw_scenery
from airflow_provider_permitocr.engine.models import PermitRequest
from airflow_provider_permitocr.errors import CallError, Decision
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.options import ClientOptions

OptionsFor = Callable[..., ClientOptions]


def _refusal(client: MainlandPermitClient, image: bytes, side: CardSide = CardSide.FRONT) -> CallError:
    with pytest.raises(CallError) as caught:
        client.recognize(PermitRequest(side, image=image))
    return caught.value


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"secret_id": "AKIDstranger"}, "AuthFailure.SecretIdNotFound"),
        ({"secret_key": "not-the-key"}, "AuthFailure.SignatureFailure"),
    ],
    ids=["unknown id", "wrong key"],
)
def test_wrong_credentials_are_the_accounts_fault(
    emulator: RunningEmulator,
    options_for: OptionsFor,
    front: Specimen,
    changes: Mapping[str, Any],
    code: str,
) -> None:
    error = _refusal(MainlandPermitClient(options_for(emulator, **changes)), front.image)
    assert (error.code, error.decision) == (code, Decision.ACCOUNT)
    assert error.request_id


@pytest.mark.parametrize("token", [None, "another-token"])
def test_missing_or_wrong_token_asks_for_repair(
    start_label_emulator: Callable[..., RunningEmulator],
    options_for: OptionsFor,
    front: Specimen,
    token: str | None,
) -> None:
    pair = KeyPair("AKIDtemporary", "temporary-key", token="temporary-token")
    options = options_for(
        start_label_emulator(keys=(pair,)), secret_id=pair.secret_id, secret_key=pair.secret_key, token=token
    )
    error = _refusal(MainlandPermitClient(options), front.image)
    assert (error.code, error.decision) == ("AuthFailure.TokenFailure", Decision.REPAIR)


@pytest.mark.parametrize("skew", [-600, 600])
def test_clock_ten_minutes_off_asks_for_repair(
    start_label_emulator: Callable[..., RunningEmulator], options_for: OptionsFor, front: Specimen, skew: int
) -> None:
    emulator = start_label_emulator(clock=lambda: time.time() + skew)
    error = _refusal(MainlandPermitClient(options_for(emulator)), front.image)
    assert (error.code, error.decision) == ("AuthFailure.SignatureExpire", Decision.REPAIR)


def test_call_over_the_quota_is_throttled_and_the_next_second_is_not(
    start_label_emulator: Callable[..., RunningEmulator], options_for: OptionsFor, front: Specimen
) -> None:
    base = float(int(time.time()))
    now = [base]
    client = MainlandPermitClient(options_for(start_label_emulator(quota=1, clock=lambda: now[0])))
    client.recognize(PermitRequest(CardSide.FRONT, image=front.image))
    error = _refusal(client, front.image)
    assert (error.code, error.decision) == ("RequestLimitExceeded", Decision.THROTTLE)
    now[0] = base + 1
    assert client.recognize(PermitRequest(CardSide.FRONT, image=front.image)).fields == front.fields


def test_picture_that_is_no_permit_is_the_images_fault(client: MainlandPermitClient) -> None:
    error = _refusal(client, draw_scenery(width=480))
    assert (error.code, error.decision) == ("FailedOperation.ImageNoSpecifiedCard", Decision.IMAGE)


def test_other_side_than_asked_for_is_the_images_fault(client: MainlandPermitClient, front: Specimen) -> None:
    assert _refusal(client, front.image, CardSide.BACK).decision is Decision.IMAGE


def test_file_cut_short_is_the_images_fault(client: MainlandPermitClient) -> None:
    error = _refusal(client, b"\x89PNG\r\n\x1a\n")
    assert (error.code, error.decision) == ("FailedOperation.ImageDecodeFailed", Decision.IMAGE)


def test_image_above_the_sites_limit_is_the_images_fault(
    client: MainlandPermitClient, front: Specimen
) -> None:
    error = _refusal(client, front.image + b"\0" * 6_000_000)
    assert (error.code, error.decision) == ("LimitExceeded.TooLargeFileError", Decision.IMAGE)


def test_url_without_a_file_may_pass(
    client: MainlandPermitClient, serve_image: Callable[[bytes], str]
) -> None:
    missing = serve_image(b"").rpartition("/")[0] + "/gone"
    with pytest.raises(CallError) as caught:
        client.recognize(PermitRequest(CardSide.FRONT, image_url=missing))
    assert caught.value.code == "FailedOperation.DownLoadError"
    assert caught.value.decision is Decision.RETRY


def test_signed_url_that_the_service_quotes_is_left_out_of_the_error(
    faulty_client: Callable[..., MainlandPermitClient],
    told_by: Callable[[BaseException], str],
    serve_image: Callable[[bytes], str],
    front: Specimen,
) -> None:
    url = f"{serve_image(front.image)}?q-signature=0123456789abcdef"
    client = faulty_client({"error": "FailedOperation.DownLoadFault", "message": f"No file at {url} (404)"})
    with pytest.raises(CallError) as caught:
        client.recognize(PermitRequest(CardSide.FRONT, image_url=url))
    assert caught.value.message == "No file at (URL) (404)"
    assert "q-signature" not in told_by(caught.value)


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><title>Please log in</title>", b""], ids=["HTML", "nothing"]
)
def test_a_page_that_the_api_fetched_in_the_place_of_an_image_is_tried_again_by_the_next_run(
    client: MainlandPermitClient, serve_image: Callable[[bytes], str], page: bytes
) -> None:
    with pytest.raises(CallError) as caught:
        client.recognize(PermitRequest(CardSide.FRONT, image_url=serve_image(page)))
    assert caught.value.decision is Decision.LATER


def test_the_same_that_the_worker_sent_is_the_images_fault(client: MainlandPermitClient) -> None:
    assert _refusal(client, b"<!DOCTYPE html>").decision is Decision.IMAGE
