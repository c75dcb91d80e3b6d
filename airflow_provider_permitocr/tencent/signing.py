"""The headers that sign a request with TC3-HMAC-SHA256.

The algorithm is described in "Signature v3" (tencentcloud.com/document/api/1005/34678). The SDK signs too,
but only what it has put into JSON itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from airflow_provider_permitocr import __version__
from airflow_provider_permitocr.permit.api import ACTION, SERVICE, VERSION
from airflow_provider_permitocr.tencent.keys.credentials import Keys
from airflow_provider_permitocr.tencent.options import ClientOptions

_ALGORITHM: Final = "TC3-HMAC-SHA256"
#: The service only accepts this one; text after a semicolon would be signed, too.
_CONTENT_TYPE: Final = "application/json"
#: In place of a signature (cloud.tencent.com/document/api/1312/73070).
_UNSIGNED: Final = "SKIP"
_SIGNED_HEADERS: Final = "content-type;host"


@dataclass(frozen=True, slots=True)
class Operation:
    """What is called: an action of a service, in a version of its API."""

    service: str
    action: str
    version: str


RECOGNIZE: Final = Operation(SERVICE, ACTION, VERSION)


def authorization(
    secret_id: str,
    secret_key: str,
    timestamp: int,
    payload_hash: str,
    *,
    host: str,
    service: str = SERVICE,
    content_type: str = _CONTENT_TYPE,
) -> str:
    """Return the ``Authorization`` header of a POST to ``/``.

    :param timestamp: Unix time in seconds, as in ``X-TC-Timestamp``; its UTC date is signed too.
    :param payload_hash: SHA-256 of the body, in hexadecimal.
    :param host: the ``Host`` header, in small letters.
    """
    from tencentcloud.common.sign import Sign

    date = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
    scope = f"{date}/{service}/tc3_request"
    canonical = f"POST\n/\n\ncontent-type:{content_type}\nhost:{host}\n\n{_SIGNED_HEADERS}\n{payload_hash}"
    text = f"{_ALGORITHM}\n{timestamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = Sign.sign_tc3(secret_key, date, service, text)
    return (
        f"{_ALGORITHM} Credential={secret_id}/{scope}, SignedHeaders={_SIGNED_HEADERS}, Signature={signature}"
    )


class Signer:
    """Signs calls of one operation, from any number of threads.

    :param operation: by default the recognition of a permit.
    :param options: the host, language and region to sign for.
    :param clock: Unix time in seconds; the service refuses requests that are five minutes off.
    """

    def __init__(
        self, options: ClientOptions, *, clock: Callable[[], float], operation: Operation = RECOGNIZE
    ) -> None:
        # Import now, not in the first calls: importing the SDK takes longer than the interval between turns,
        # so these calls would all go out at once afterwards.
        from tencentcloud.common.sign import Sign  # noqa: F401

        self._host = options.host
        self._service = operation.service
        self._clock = clock
        self._fixed = {
            "Content-Type": _CONTENT_TYPE,
            "Host": options.host,
            "User-Agent": f"airflow_provider_permitocr/{__version__}",
            "X-TC-Action": operation.action,
            "X-TC-Version": operation.version,
            "X-TC-Language": options.site.language,
        }
        if options.region:
            self._fixed["X-TC-Region"] = options.region

    def headers(self, keys: Keys, payload_hash: str, *, trace_id: str = "") -> dict[str, str]:
        """Return all headers of a request, signed as of now.

        :param payload_hash: SHA-256 of the body, in hexadecimal.
        :param trace_id: for ``X-TC-TraceId``, which the SDK also sends; '' for none.
        """
        timestamp = int(self._clock())
        signature = authorization(
            keys.secret_id, keys.secret_key, timestamp, payload_hash, host=self._host, service=self._service
        )
        headers = self._with(timestamp, signature)
        if trace_id:
            headers["X-TC-TraceId"] = trace_id
        return headers | {"X-TC-Token": keys.token} if keys.token else headers

    def unsigned_headers(self) -> dict[str, str]:
        """Return all headers of an unsigned request, for operations that need no signature."""
        return self._with(int(self._clock()), _UNSIGNED)

    def _with(self, timestamp: int, authorization: str) -> dict[str, str]:
        return self._fixed | {"X-TC-Timestamp": str(timestamp), "Authorization": authorization}
