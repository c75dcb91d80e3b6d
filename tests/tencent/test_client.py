from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_permitocr.emulator.options import KeyPair
from airflow_provider_permitocr.emulator.running import RunningEmulator, start_emulator
from airflow_provider_permitocr.emulator.specimens import (
    DRAWABLE,
    Effect,
    PermitKind,
    Specimen,
    draw_specimen,
)
from airflow_provider_permitocr.engine.models import PermitRequest
from airflow_provider_permitocr.permit.api import SITES, CardSide
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.options import ClientOptions

# The sample of the official command line's repository, its only one with every field.
_FULL_SAMPLE: dict[str, Any] = {
    "Birthday": "1986.03.02",
    "EnglishName": "LI,YOU-TU",
    "IssueAddress": "广东",
    "IssueAuthority": "公安部出入境管理局",
    "IssueNumber": "02",
    "MainlandTravelPermitBackInfos": {
        "HistoryNumber": "",
        "IDNumber": "",
        "Name": "",
        "Type": "台湾居民来往大陆通行证",
    },
    "Name": "李优图",
    "Nationality": "",
    "Number": "08320271",
    "Profile": "",
    "Sex": "男",
    "Type": "台湾居民来往大陆通行证",
    "ValidDate": "2016.02.03-2021.02.02",
}
_API_PAGE_SAMPLE: dict[str, Any] = {
    "EnglishName": "LI,YOU-TU",
    "MainlandTravelPermitBackInfos": {"HistoryNumber": "", "IDNumber": ""},
    "Nationality": "",
}


class _FixedEngine:
    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def read(self, image: bytes, card_side: CardSide, with_portrait: bool) -> dict[str, Any]:
        return dict(self._fields)


@pytest.mark.parametrize(("kind", "side"), DRAWABLE)
def test_every_field_of_every_permit_and_side_arrives(
    client: MainlandPermitClient, draw: Callable[..., Specimen], kind: PermitKind, side: CardSide
) -> None:
    specimen = draw(kind, side)
    response = client.recognize(PermitRequest(side, image=specimen.image))
    assert response.fields == specimen.fields
    assert response.request_id


def test_back_carries_name_type_and_numbers(client: MainlandPermitClient, back: Specimen) -> None:
    response = client.recognize(PermitRequest(CardSide.BACK, image=back.image))
    infos = response.fields["MainlandTravelPermitBackInfos"]
    assert set(infos) == {"Type", "Name", "IDNumber", "HistoryNumber"}
    assert infos["IDNumber"]


def test_request_id_is_the_one_that_the_service_noted(
    emulator: RunningEmulator, client: MainlandPermitClient, front: Specimen
) -> None:
    response = client.recognize(PermitRequest(CardSide.FRONT, image=front.image))
    assert [record.request_id for record in emulator.records()] == [response.request_id]


def test_image_url_is_fetched_by_the_service(
    client: MainlandPermitClient, front: Specimen, serve_image: Callable[[bytes], str]
) -> None:
    url = serve_image(front.image)
    assert client.recognize(PermitRequest(CardSide.FRONT, image_url=url)).fields == front.fields


def test_portrait_comes_only_when_asked_for(client: MainlandPermitClient, front: Specimen) -> None:
    without = client.recognize(PermitRequest(CardSide.FRONT, image=front.image))
    asked = client.recognize(PermitRequest(CardSide.FRONT, with_portrait=True, image=front.image))
    assert without.fields["Profile"] == ""
    assert asked.fields["Profile"].startswith("/9j/")


@pytest.mark.parametrize("site", SITES)
def test_warnings_are_kept_whichever_site_the_client_is_for(
    emulator: RunningEmulator, options_for: Callable[..., ClientOptions], site: str
) -> None:
    photocopy = draw_specimen(PermitKind.TAIWAN, width=480, effects=frozenset({Effect.PHOTOCOPIED}))
    client = MainlandPermitClient(options_for(emulator, site=SITES[site]))
    response = client.recognize(PermitRequest(CardSide.FRONT, image=photocopy.image))
    assert response.fields["WarnCardInfos"] == [-9102]


def test_mainland_service_sends_no_warnings(
    start_label_emulator: Callable[..., RunningEmulator],
    options_for: Callable[..., ClientOptions],
    front: Specimen,
) -> None:
    emulator = start_label_emulator(site="mainland")
    client = MainlandPermitClient(options_for(emulator, site=SITES["mainland"]))
    response = client.recognize(PermitRequest(CardSide.FRONT, image=front.image))
    assert "WarnCardInfos" not in response.fields


@pytest.mark.parametrize(
    "fields",
    [
        _FULL_SAMPLE,
        _API_PAGE_SAMPLE,
        _FULL_SAMPLE | {"WarnCardInfos": [-9103], "FieldOfTomorrow": {"a": [1]}},
    ],
    ids=["full sample", "API page", "fields of a later version"],
)
def test_answer_is_handed_on_as_it_came(
    options_for: Callable[..., ClientOptions], front: Specimen, fields: dict[str, Any]
) -> None:
    with start_emulator(engine=_FixedEngine(fields)) as emulator:
        client = MainlandPermitClient(options_for(emulator))
        response = client.recognize(PermitRequest(CardSide.FRONT, image=front.image))
    assert response.fields == fields


def test_temporary_credentials_are_sent_with_their_token(
    start_label_emulator: Callable[..., RunningEmulator],
    options_for: Callable[..., ClientOptions],
    front: Specimen,
) -> None:
    pair = KeyPair("AKIDtemporary", "temporary-key", token="temporary-token")
    emulator = start_label_emulator(keys=(pair,))
    options = options_for(emulator, secret_id=pair.secret_id, secret_key=pair.secret_key, token=pair.token)
    response = MainlandPermitClient(options).recognize(PermitRequest(CardSide.FRONT, image=front.image))
    assert response.fields == front.fields


def test_region_is_accepted_where_one_is_given(
    emulator: RunningEmulator, options_for: Callable[..., ClientOptions], front: Specimen
) -> None:
    client = MainlandPermitClient(options_for(emulator, region="ap-singapore"))
    assert client.recognize(PermitRequest(CardSide.FRONT, image=front.image)).fields == front.fields
