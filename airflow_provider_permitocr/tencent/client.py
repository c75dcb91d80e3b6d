"""The API as the core sees it: a request in, a response or a ``CallError`` out."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from pybase64 import b64encode

from airflow_provider_permitocr.engine.models import PermitRequest, PermitResponse
from airflow_provider_permitocr.error_privacy import private_errors
from airflow_provider_permitocr.errors import CallError
from airflow_provider_permitocr.permit.api import OUTPUT_FIELDS
from airflow_provider_permitocr.tencent.decisions import call_error, of_fetched
from airflow_provider_permitocr.tencent.envelope import Refusal, malformed, open_envelope
from airflow_provider_permitocr.tencent.keys.credentials import Keys, KeySource, after_refusal
from airflow_provider_permitocr.tencent.keys.key_source import key_source
from airflow_provider_permitocr.tencent.options import ClientOptions
from airflow_provider_permitocr.tencent.signing import Signer
from airflow_provider_permitocr.tencent.transport import HttpAnswer, Transport, clock_fault
from airflow_provider_permitocr.tencent.wire_codes import NO_FIELDS

#: Bytes encoded at a time; a multiple of 3, so that there is no padding in between. Pieces fit into the CPU
#: cache, and the encoded image is never in memory twice.
_ENCODED_AT_ONCE: Final = 48 * 1024


class MainlandPermitClient:
    """Calls MainlandPermitOCR, from any number of threads, which share its connections.

    Leaving it as a context manager closes it.

    :param keys: what calls are signed with; by default the keys, or the role, of ``options``.
    :param clock: Unix time in seconds, for the signatures.
    :raises ConfigurationError: when the proxy or the certificate authorities cannot be used.
    """

    def __init__(
        self,
        options: ClientOptions,
        keys: KeySource | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys or key_source(options)
        self._signer = Signer(options, clock=clock)
        self._transport = Transport(options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def prepare(self, request: PermitRequest) -> Callable[[], PermitResponse]:
        """Do what takes time before the call's turn: encode the image, hash the body, renew the keys.

        :return: makes the call, signed at that time; may be called again. It does not retain the request's
            image. It raises ``CallError`` for every answer without fields and every error on the way; the
            message never contains what was sent or answered.
        """
        body = request_body(request)
        with suppress(CallError):  # the call itself raises this if there are still no keys
            self._keys.current()
        return partial(
            self._call, request.image is None, body, hashlib.sha256(body).hexdigest(), request.call_id
        )

    @private_errors
    def recognize(self, request: PermitRequest) -> PermitResponse:
        """Make one call and return its output fields.

        :raises CallError: as what ``prepare`` returns.
        """
        return self.prepare(request)()

    def close(self) -> None:
        """Close the connections; calls after that raise ``CallError``."""
        self._transport.close()

    def _call(self, is_fetched: bool, body: bytearray, payload_hash: str, call_id: str) -> PermitResponse:
        keys = self._keys.current()
        headers = self._signer.headers(keys, payload_hash, trace_id=call_id)
        try:
            return _response(self._transport.post(headers, body), keys)
        except CallError as error:
            raise after_refusal(of_fetched(error) if is_fetched else error, self._keys, keys) from None


def request_body(request: PermitRequest) -> bytearray:
    """Write the JSON of a request, as bytes.

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


def _response(answer: HttpAnswer, keys: Keys) -> PermitResponse:
    opened = open_envelope(answer.body, keys.secrets)
    if isinstance(opened, Refusal):
        error = call_error(opened.code, opened.message, opened.request_id, retry_after=answer.retry_after)
        error.advice = clock_fault(opened.code, answer.date, time.time()) or error.advice
        raise error
    if OUTPUT_FIELDS.isdisjoint(opened.fields):
        raise malformed(NO_FIELDS, "no field of the document", opened.request_id)
    return PermitResponse(opened.fields, opened.request_id)
