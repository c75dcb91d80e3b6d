from __future__ import annotations

from collections.abc import Callable

from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY, KeyPair
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.engine.models import PermitRequest
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.keys.key_source import key_source
from airflow_provider_permitocr.tencent.keys.sts import caller_identity
from airflow_provider_permitocr.tencent.options import ClientOptions
from airflow_provider_permitocr.tencent.sdk import ocr_client


def _assert_silent(logged: str, private: set[str]) -> None:
    assert "Starting new HTTP connection" in logged
    assert not [value for value in private if value in logged]
    assert "Signature=" not in logged


def test_token_and_signed_url_are_not_printed(
    all_logged: Callable[[], str],
    start_label_emulator: Callable[..., RunningEmulator],
    options_for: Callable[..., ClientOptions],
    serve_image: Callable[[bytes], str],
    front: Specimen,
) -> None:
    pair = KeyPair("AKIDtemporary", "temporary-key", token="temporary-token")
    options = options_for(
        start_label_emulator(keys=(pair,)),
        secret_id="AKIDtemporary",
        secret_key="temporary-key",
        token=pair.token,
    )
    url = f"{serve_image(front.image)}?q-signature=0123456789abcdef"
    MainlandPermitClient(options).recognize(PermitRequest(CardSide.FRONT, image_url=url))
    _assert_silent(all_logged(), {"temporary-token", "temporary-key", "q-signature"})


def test_typed_client_and_sts_are_as_silent(
    all_logged: Callable[[], str],
    emulator: RunningEmulator,
    options_for: Callable[..., ClientOptions],
    serve_image: Callable[[bytes], str],
    front: Specimen,
    private_values: Callable[[Specimen], set[str]],
) -> None:
    from tencentcloud.ocr.v20181119.models import MainlandPermitOCRRequest

    request = MainlandPermitOCRRequest()
    request.ImageUrl = serve_image(front.image)
    options = options_for(emulator)
    ocr_client(options, key_source(options)).MainlandPermitOCR(request)
    caller_identity(options, key_source(options))
    _assert_silent(all_logged(), private_values(front) | {DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY})
