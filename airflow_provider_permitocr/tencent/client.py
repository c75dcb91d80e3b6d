"""The API as the core sees it: a request in, a response or a ``CallError`` out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self

from airflow_provider_permitocr.engine.models import PermitRequest, PermitResponse
from airflow_provider_permitocr.errors import CallError
from airflow_provider_permitocr.permit.api import OUTPUT_FIELDS
from airflow_provider_permitocr.tencent.body import request_body
from airflow_provider_permitocr.tencent.credentials import KeySource, after_refusal
from airflow_provider_permitocr.tencent.decisions import call_error, of_fetched
from airflow_provider_permitocr.tencent.envelope import Refusal, malformed, open_envelope
from airflow_provider_permitocr.tencent.options import ClientOptions, Keys
from airflow_provider_permitocr.tencent.signing import Signer
from airflow_provider_permitocr.tencent.sts import key_source
from airflow_provider_permitocr.tencent.transport import HttpAnswer, Transport
from airflow_provider_permitocr.tencent.wire_codes import NO_FIELDS


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
        """Do what takes time before the call's turn comes: encode the image, hash the body, renew the keys.

        :return: makes the call, signed as of then; may be called again. It does not keep the request's
            image. It raises ``CallError`` for every answer without fields and every fault on the way, whose
            message never holds what was sent or answered.
        """
        body = request_body(request)
        with suppress(CallError):  # the call itself tells, if there are still none by then
            self._keys.current()
        return partial(
            self._call, request.image is None, body, hashlib.sha256(body).hexdigest(), request.call_id
        )

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


def _response(answer: HttpAnswer, keys: Keys) -> PermitResponse:
    opened = open_envelope(answer.body, keys)
    if isinstance(opened, Refusal):
        raise call_error(opened.code, opened.message, opened.request_id, retry_after=answer.retry_after)
    if OUTPUT_FIELDS.isdisjoint(opened.fields):
        raise malformed(NO_FIELDS, "no field of the document", opened.request_id)
    return PermitResponse(opened.fields, opened.request_id)
