"""Checks that every call passes first: size, common parameters, signature, quota.

The order of the real checks is not documented. Here, cheap checks come first, and only calls that an account
really signed count toward its quota.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from aiohttp import web

from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.gateway import signature
from airflow_provider_permitocr.emulator.gateway.keys import KeyRing
from airflow_provider_permitocr.emulator.gateway.operations import (
    INLINE_BYTES,
    Body,
    Operation,
    Operations,
    Request,
    find_operation,
)
from airflow_provider_permitocr.emulator.gateway.parameters import missing
from airflow_provider_permitocr.emulator.gateway.quota import Quota
from airflow_provider_permitocr.emulator.journal import CallRecord
from airflow_provider_permitocr.emulator.options import KeyPair

Clock = Callable[[], float]

#: Largest request signed with TC3 (cloud.tencent.com/document/product/1278/46710).
MAX_REQUEST_BYTES: Final = 10 * 1024 * 1024
#: Largest GET request (same page), and how much of its first line the server reads to report that.
MAX_GET_BYTES: Final = 32 * 1024
MAX_LINE_BYTES: Final = 8 * MAX_GET_BYTES
#: A larger body is read to its end, up to this size, so that the caller can read the answer.
MAX_DRAINED_BYTES: Final = 10 * MAX_REQUEST_BYTES


#: Account of unsigned calls.
_NOBODY: Final = KeyPair("nobody", "no-key", account="nobody")


class Gateway:
    """Admits or refuses calls.

    :param keys: the key pairs that may sign calls.
    :param quota: counts correctly signed calls.
    :param operations: the operations that can be called.
    :param unsigned: operations that can be called without a signature: version → action → operation.
    """

    def __init__(
        self,
        keys: KeyRing,
        quota: Quota,
        operations: Operations,
        unsigned: Mapping[str, Mapping[str, Operation]] = MappingProxyType({}),
    ) -> None:
        self._keys = keys
        self._quota = quota
        self._operations = operations
        self._unsigned = unsigned

    async def admit(
        self, http: web.Request, body: Body | None, record: CallRecord
    ) -> tuple[Operation, Request]:
        """Check a call, noting in `record` what is learnt of it.

        :param body: what `read_body` returned.
        :raises ApiError: if the call is refused.
        """
        if body is None or len(http.raw_path) > MAX_GET_BYTES:
            raise ApiError(
                "RequestSizeLimitExceeded", "The request is larger than 10 MB, or a GET than 32 KB."
            )
        if http.headers.get("Authorization") == signature.SKIP:
            return self._admit_unsigned(http, body, record)
        arrived = record.time
        action = _header(http, "X-TC-Action", "Action")
        version = _header(http, "X-TC-Version", "Version")
        authorization = signature.Authorization.parse(http.headers.get("Authorization", ""))
        operation = find_operation(self._operations, authorization.service, version, action)
        record.action = action
        timestamp = signature.check_timestamp(_header(http, "X-TC-Timestamp", "Timestamp"), arrived)
        query = _query(http)
        key = self._keys.find(authorization.secret_id, http.headers.get("X-TC-Token"), arrived)
        canonical = signature.canonical_request(
            http.method, query or "", http.headers, authorization.signed_headers, await _hash(http, body)
        )
        signature.verify(authorization, key.secret_key, timestamp, canonical)
        record.account = key.account
        self._quota.admit(action, key.account, arrived)
        return operation, Request(key, arrived, body, query)

    def _admit_unsigned(self, http: web.Request, body: Body, record: CallRecord) -> tuple[Operation, Request]:
        action = _header(http, "X-TC-Action", "Action")
        version = _header(http, "X-TC-Version", "Version")
        if action not in self._unsigned.get(version, {}):
            raise ApiError("AuthFailure.InvalidAuthorization", "The action has to be signed.")
        record.action = action
        signature.check_timestamp(_header(http, "X-TC-Timestamp", "Timestamp"), record.time)
        return self._unsigned[version][action], Request(_NOBODY, record.time, body, _query(http))


async def read_body(http: web.Request) -> Body | None:
    """Read the body of a request; None if it is too large.

    Even a body that is too large is read, and discarded: a caller that is disconnected while sending would
    see a broken connection instead of the answer.
    """
    body = bytearray()
    size = 0
    async for chunk in http.content.iter_any():
        size += len(chunk)
        if size <= MAX_REQUEST_BYTES:
            body += chunk
        elif size > MAX_DRAINED_BYTES:
            break
        else:
            body.clear()
    return body if size <= MAX_REQUEST_BYTES else None


def _header(http: web.Request, header: str, parameter: str) -> str:
    value = http.headers.get(header, "")
    if not value:
        raise missing(parameter)
    return value


def _query(http: web.Request) -> str | None:
    """Return the query with a GET's parameters; None for a POST, which has them in its body.

    :raises ApiError: ``UnsupportedProtocol`` for other methods, or a POST that is not JSON.
    """
    if http.method == "GET":
        return http.raw_path.partition("?")[2]
    if http.method != "POST" or http.content_type != "application/json":
        raise ApiError(
            "UnsupportedProtocol", "Only GET and POST are supported, and of POST only application/json here."
        )
    return None


async def _hash(http: web.Request, body: Body) -> str:
    content_sha256 = http.headers.get("X-TC-Content-SHA256")
    if len(body) > INLINE_BYTES:
        return await asyncio.to_thread(signature.payload_hash, body, content_sha256)
    return signature.payload_hash(body, content_sha256)
