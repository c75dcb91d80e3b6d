"""A request's body: the JSON that the API reads, as bytes."""

from __future__ import annotations

import json
from typing import Any, Final

from pybase64 import b64encode

from airflow_provider_permitocr.engine.models import PermitRequest

#: Bytes encoded at a time; a multiple of 3, so that no padding falls in between. In pieces that fit into the
#: processor's cache, the encoded image is never in memory twice.
_ENCODED_AT_ONCE: Final = 48 * 1024


def request_body(request: PermitRequest) -> bytearray:
    """Write the JSON of a request.

    Base64 needs no escapes in JSON, so an image never passes through an encoder: that would cost more than
    all the rest of a call.
    """
    parameters: dict[str, Any] = {"CardSide": request.card_side.value}
    if request.with_portrait:
        parameters["RetProfile"] = True
    if request.image is None:
        return bytearray(json.dumps(parameters | {"ImageUrl": request.image_url}).encode())
    around = json.dumps(parameters | {"ImageBase64": ""}).encode()
    return _encoded_between(around[:-2], request.image, around[-2:])


def _encoded_between(before: bytes, image: bytes, after: bytes) -> bytearray:
    encoded_length = (len(image) + 2) // 3 * 4
    # Allocated once: growing or joining would copy the whole image again.
    body = bytearray(len(before) + encoded_length + len(after))
    body[: len(before)] = before
    body[len(before) + encoded_length :] = after
    at = len(before)
    view = memoryview(image)
    for start in range(0, len(image), _ENCODED_AT_ONCE):
        encoded = b64encode(view[start : start + _ENCODED_AT_ONCE])
        body[at : at + len(encoded)] = encoded
        at += len(encoded)
    return body
