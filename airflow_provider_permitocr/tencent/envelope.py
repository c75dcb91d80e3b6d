"""What every API of Tencent Cloud wraps its answers in: ``{"Response": {..., "RequestId": ...}}``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from airflow_provider_permitocr.errors import CallError
from airflow_provider_permitocr.tencent.decisions import call_error
from airflow_provider_permitocr.tencent.wire_codes import NOT_JSON, TOO_LONG, WRONG_ENVELOPE

#: The longest codes that are known have 66 characters.
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_LONGEST_MESSAGE: Final = 1000
_LONGEST_REQUEST_ID: Final = 128
#: A message of the service may quote the image's URL, and a signed one opens the image to every reader.
_URL: Final = re.compile(r"\w{1,20}://\S+")
#: Or what it was signed with.
_SIGNATURE: Final = re.compile(r"Signature=\w+")
#: Values in an answer, which each take memory: one with all fields has under a hundred.
_MOST_VALUES: Final = 100_000
#: An answer has four levels. Deeper nesting can be parsed, but might overflow the stack when serialized.
_MOST_LEVELS: Final = 50
_ATOMS: Final = (str, int, float, type(None))


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer without an error.

    :param fields: of ``Response``, but for ``RequestId``.
    """

    fields: dict[str, Any] = field(repr=False)
    request_id: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer with an error.

    :param message: the service's own words, without URLs and what the call was signed with.
    """

    code: str
    message: str
    request_id: str


def open_envelope(body: bytes, secrets: Iterable[str]) -> Answer | Refusal:
    """Parse a response body, regardless of its status and content type: errors come with status 200.

    :param secrets: what the call was made with; no message may quote it.
    :raises CallError: ``ClientMalformedAnswer...`` for a malformed answer.
    """
    response = _response(body)
    request_id = str(response.pop("RequestId", None) or "")[:_LONGEST_REQUEST_ID]
    refusal = response.get("Error")
    if refusal is None:
        return Answer(response, request_id)
    if not isinstance(refusal, dict):
        raise malformed(WRONG_ENVELOPE, "no Error object", request_id)
    code = refusal.get("Code")
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        raise malformed(WRONG_ENVELOPE, "an Error without a Code", request_id)
    return Refusal(code, _message(refusal.get("Message"), secrets), request_id)


def malformed(code: str, why: str, request_id: str = "") -> CallError:
    """Return the error of a call with a malformed answer."""
    return call_error(code, f"the answer differs from the API's documentation ({why})", request_id)


def _response(body: bytes) -> dict[str, Any]:
    # An object or a list costs a hundred times the bytes that it is written in.
    if sum(map(body.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        raise malformed(TOO_LONG, "too many values")
    try:
        # Numbers that JSON does not define are useless here, and databases refuse them.
        answer = json.loads(body, parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise malformed(NOT_JSON, type(error).__name__) from None
    if _is_deep(answer):
        raise malformed(TOO_LONG, "too many levels")
    response = answer.get("Response") if isinstance(answer, dict) else None
    if not isinstance(response, dict):
        raise malformed(WRONG_ENVELOPE, "no Response object")
    return response


def _is_deep(answer: Any) -> bool:
    level = [answer]
    for _ in range(_MOST_LEVELS):
        inside = (each.values() if isinstance(each, dict) else each for each in level)
        level = [value for values in inside if not isinstance(values, _ATOMS) for value in values]
    return bool(level)


def _message(said: Any, secrets: Iterable[str]) -> str:
    message = str(said)[:_LONGEST_MESSAGE]
    for secret in secrets:
        message = message.replace(secret, "***")
    return _SIGNATURE.sub("(signature)", _URL.sub("(URL)", message))
