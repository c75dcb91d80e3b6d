from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.ocr.v20181119.models import MainlandPermitOCRRequest

from airflow_provider_permitocr.core.api import SITES
from airflow_provider_permitocr.emulator.options import DEFAULT_ACCOUNT
from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.tencent.options import ClientOptions
from airflow_provider_permitocr.tencent.sdk import caller_identity, ocr_client

OptionsFor = Callable[..., ClientOptions]


def test_typed_client_calls_the_same_service(
    emulator: RunningEmulator,
    options_for: OptionsFor,
    serve_image: Callable[[bytes], str],
    back: Specimen,
) -> None:
    request = MainlandPermitOCRRequest()
    request.ImageUrl = serve_image(back.image)
    request.CardSide = "BACK"
    answer = ocr_client(options_for(emulator)).MainlandPermitOCR(request)
    infos = back.fields["MainlandTravelPermitBackInfos"]
    assert answer.MainlandTravelPermitBackInfos.IDNumber == infos["IDNumber"]
    assert answer.Type == back.fields["Type"]


@pytest.mark.parametrize("site", SITES)
def test_typed_client_goes_to_its_site_in_its_language(site: str) -> None:
    profile = ocr_client(ClientOptions("AKID", "key", site=SITES[site])).profile
    assert profile.httpProfile.scheme == "https"
    assert profile.httpProfile.endpoint == SITES[site].endpoint
    assert profile.language == SITES[site].language
    assert profile.retryer is None


def test_identity_is_the_account_that_owns_the_keys(
    emulator: RunningEmulator, options_for: OptionsFor
) -> None:
    identity = caller_identity(options_for(emulator))
    assert DEFAULT_ACCOUNT in identity
    assert "qcs::cam::uin/" in identity


def test_identity_of_an_unknown_key_says_so(emulator: RunningEmulator, options_for: OptionsFor) -> None:
    with pytest.raises(TencentCloudSDKException) as caught:
        caller_identity(options_for(emulator, secret_id="AKIDstranger"))
    assert caught.value.get_code() == "AuthFailure.SecretIdNotFound"


def test_identity_costs_no_call_of_the_api(emulator: RunningEmulator, options_for: OptionsFor) -> None:
    caller_identity(options_for(emulator))
    assert emulator.stats()["calls"] == 0


def test_identity_is_asked_for_with_the_authorities_of_the_environment(
    start_label_emulator: Callable[..., RunningEmulator],
    options_for: OptionsFor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emulator = start_label_emulator(tls=tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(emulator.ca_file))
    assert DEFAULT_ACCOUNT in caller_identity(options_for(emulator, protocol="https"))
