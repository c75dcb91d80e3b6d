"""Check TC3-HMAC-SHA256 signatures, as the gateway does.

The algorithm is described in "Signature v3" (tencentcloud.com/document/api/1005/34678).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from airflow_provider_permitocr.emulator.errors import ApiError

ALGORITHM: Final = "TC3-HMAC-SHA256"
#: Seconds that a timestamp may be off, either way ("Signature v3").
WINDOW_SECONDS: Final = 300
#: Replaces the signature for actions that need none (cloud.tencent.com/document/api/1312/73070).
SKIP: Final = "SKIP"
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"

_AUTHORIZATION: Final = re.compile(
    rf"{ALGORITHM}\s+Credential=(?P<secret_id>[^/,\s]+)/(?P<date>\d{{4}}-\d\d-\d\d)/(?P<service>[a-z0-9]+)"
    r"/tc3_request,\s*SignedHeaders=(?P<signed_headers>[A-Za-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_ALWAYS_SIGNED: Final = frozenset({"content-type", "host"})


@dataclass(frozen=True)
class Authorization:
    """The parts of an ``Authorization`` header."""

    secret_id: str
    date: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str

    @classmethod
    def parse(cls, text: str) -> Authorization:
        """Read the header.

        :raises ApiError: ``AuthFailure.InvalidAuthorization`` if it is not a TC3 one that signs at
            least ``content-type`` and ``host``.
        """
        match = _AUTHORIZATION.fullmatch(text.strip())
        names = tuple(match["signed_headers"].lower().split(";")) if match else ()
        if match is None or not _ALWAYS_SIGNED.issubset(names):
            raise ApiError(
                "AuthFailure.InvalidAuthorization",
                "The `Authorization` in the request header is not of the form of TC3-HMAC-SHA256.",
            )
        return cls(match["secret_id"], match["date"], match["service"], names, match["signature"])


def check_timestamp(text: str, now: float) -> int:
    """Return ``X-TC-Timestamp`` in seconds, if it is within the window around `now`.

    :raises ApiError: ``InvalidParameter`` if it is not a number, ``AuthFailure.SignatureExpire`` if
        it is more than 5 minutes off.
    """
    if not re.fullmatch(r"\d{1,12}", text, re.ASCII):
        raise ApiError("InvalidParameter", "The parameter `Timestamp` is not a Unix time in seconds.")
    timestamp = int(text)
    if abs(now - timestamp) > WINDOW_SECONDS:
        raise ApiError("AuthFailure.SignatureExpire", "The signature is expired, please request again.")
    return timestamp


def payload_hash(body: bytes | bytearray, content_sha256: str | None) -> str:
    """Hash what was signed of the body: the body, or a literal under ``UNSIGNED-PAYLOAD``."""
    signed = UNSIGNED_PAYLOAD.encode() if content_sha256 == UNSIGNED_PAYLOAD else body
    return hashlib.sha256(signed).hexdigest()


def canonical_request(
    method: str, query: str, headers: Mapping[str, str], signed_headers: tuple[str, ...], hashed_payload: str
) -> str:
    """Put a request in the form that is signed. The path is always ``/``.

    :param query: as sent, without the question mark; the asynchronous SDK sends an empty one.
    :param headers: looked up without regard to case.
    :raises ApiError: ``AuthFailure.SignatureFailure`` if a signed header was not sent.
    """
    lines = []
    for name in sorted(signed_headers):
        value = headers.get(name)
        if value is None:
            raise _signature_failure()
        lines.append(f"{name}:{value.strip().lower()}\n")
    names = ";".join(sorted(signed_headers))
    return f"{method}\n/\n{query}\n{''.join(lines)}\n{names}\n{hashed_payload}"


def sign(secret_key: str, service: str, timestamp: int, canonical: str) -> str:
    """Sign a canonical request.

    :param timestamp: Unix time in seconds; its UTC date is part of the key.
    :return: 64 hexadecimal digits.
    """
    date = _utc_date(timestamp)
    scope = f"{date}/{service}/tc3_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashed}"
    return hmac.digest(_signing_key(secret_key, date, service), text.encode(), "sha256").hex()


@lru_cache(maxsize=256)  # callers come back with the same pair all day
def _signing_key(secret_key: str, date: str, service: str) -> bytes:
    key = f"TC3{secret_key}".encode()
    for part in (date, service, "tc3_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def verify(authorization: Authorization, secret_key: str, timestamp: int, canonical: str) -> None:
    """Check that the caller holds `secret_key`.

    :raises ApiError: ``AuthFailure.SignatureFailure`` if the signature differs, or the date in the
        scope is not the timestamp's UTC date.
    """
    expected = sign(secret_key, authorization.service, timestamp, canonical)
    same_date = authorization.date == _utc_date(timestamp)
    if not (hmac.compare_digest(expected, authorization.signature) and same_date):
        raise _signature_failure()


def _utc_date(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")


def _signature_failure() -> ApiError:
    return ApiError(
        "AuthFailure.SignatureFailure",
        "The provided credentials could not be validated. Please check your signature is correct.",
    )
