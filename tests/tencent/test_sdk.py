from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from tencentcloud.ocr.v20181119.models import MainlandPermitOCRRequest

from airflow_provider_permitocr.emulator.running import RunningEmulator
from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.permit.api import SITES
from airflow_provider_permitocr.tencent.keys.credentials import (
    ConnectionKeys,
    IssuedKeys,
    Keys,
    TemporaryKeys,
    assumed,
)
from airflow_provider_permitocr.tencent.keys.key_source import key_source
from airflow_provider_permitocr.tencent.keys.sts import assume_role
from airflow_provider_permitocr.tencent.options import ClientOptions, Role
from airflow_provider_permitocr.tencent.sdk import ocr_client

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
    options = options_for(emulator)
    answer = ocr_client(options, key_source(options)).MainlandPermitOCR(request)
    infos = back.fields["MainlandTravelPermitBackInfos"]
    assert answer.MainlandTravelPermitBackInfos.IDNumber == infos["IDNumber"]
    assert answer.Type == back.fields["Type"]


@pytest.mark.parametrize("site", SITES)
def test_typed_client_goes_to_its_site_in_its_language(site: str) -> None:
    options = ClientOptions("AKID", "key", site=SITES[site])
    profile = ocr_client(options, key_source(options)).profile
    assert profile.httpProfile.scheme == "https"
    assert profile.httpProfile.endpoint == SITES[site].endpoint
    assert profile.language == SITES[site].language
    assert profile.retryer is None


def test_typed_client_calls_in_a_role_and_goes_on_when_its_keys_have_ended(
    start_label_emulator: Callable[..., RunningEmulator],
    options_for: OptionsFor,
    serve_image: Callable[[bytes], str],
    front: Specimen,
) -> None:
    now = [1_800_000_000.0]
    emulator = start_label_emulator(clock=lambda: now[0])
    role = Role("qcs::cam::uin/100000000001:roleName/reader", seconds=60)
    options = options_for(emulator)

    def assume(base: Keys) -> IssuedKeys:
        return assume_role(options, role, base, now=lambda: now[0])

    base = ConnectionKeys(options.keys)
    keys = TemporaryKeys(partial(assumed, base, assume), clock=lambda: now[0])
    client = ocr_client(options, keys)
    request = MainlandPermitOCRRequest()
    request.ImageUrl = serve_image(front.image)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tencentcloud.common.abstract_client.time.time", lambda: now[0])
        for _ in range(3):
            assert client.MainlandPermitOCR(request).Number == front.fields["Number"]
            now[0] += 61
    assert emulator.stats()["by_action"]["AssumeRole"] == 3
