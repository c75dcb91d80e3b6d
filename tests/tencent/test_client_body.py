from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.engine.models import PermitRequest
from airflow_provider_permitocr.permit.api import CardSide
from airflow_provider_permitocr.tencent.client import request_body

_ONCE = 48 * 1024


@given(image=st.binary(), card_side=st.sampled_from(CardSide))
def test_any_image_is_read_back_from_the_json(image: bytes, card_side: CardSide) -> None:
    assert json.loads(request_body(PermitRequest(card_side, image=image))) == {
        "CardSide": card_side.value,
        "ImageBase64": base64.b64encode(image).decode(),
    }


@pytest.mark.parametrize("length", [_ONCE - 1, _ONCE, _ONCE + 1, 2 * _ONCE, 5 * _ONCE + 2])
def test_no_seam_shows_in_an_image_that_is_encoded_piece_by_piece(length: int) -> None:
    image = bytes(number * number % 251 for number in range(length))
    body = json.loads(request_body(PermitRequest(CardSide.FRONT, image=image)))
    assert base64.b64decode(body["ImageBase64"], validate=True) == image


@given(url=st.text())
def test_any_url_is_read_back_from_the_json(url: str) -> None:
    body = json.loads(request_body(PermitRequest(CardSide.BACK, image_url=url)))
    assert body == {"CardSide": "BACK", "ImageUrl": url}


def test_the_portrait_is_asked_for_beside_either_image() -> None:
    for request in (
        PermitRequest(CardSide.FRONT, with_portrait=True, image=b"x"),
        PermitRequest(CardSide.FRONT, with_portrait=True, image_url="https://x/"),
    ):
        assert json.loads(request_body(request))["RetProfile"] is True
