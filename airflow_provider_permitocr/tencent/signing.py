"""The headers that sign a request with TC3-HMAC-SHA256.

The algorithm is described in "Signature v3" (tencentcloud.com/document/api/1005/34678). The SDK signs too,
but only what it has put into JSON itself.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr import __version__
from airflow_provider_permitocr.core.api import ACTION, SERVICE, VERSION
from airflow_provider_permitocr.tencent.options import ClientOptions

if TYPE_CHECKING:
    from tencentcloud.common.credential import Credential

_ALGORITHM: Final = "TC3-HMAC-SHA256"
#: The service looks for errors in this one only; what follows a semicolon would be signed as well.
_CONTENT_TYPE: Final = "application/json"
_SIGNED_HEADERS: Final = "content-type;host"


class Signer:
    """Signs calls of MainlandPermitOCR, from any number of threads.

    :param options: the host, language and region to sign for.
    :param credential: one of the SDK's; asked anew for each signature, as temporary ones change.
    :param clock: Unix time in seconds; the service refuses what is five minutes off.
    """

    def __init__(
        self, options: ClientOptions, credential: Credential, *, clock: Callable[[], float] = time.time
    ) -> None:
        from tencentcloud.common.sign import Sign

        self._sign = Sign.sign_tc3
        self._credential = credential
        self._clock = clock
        self._canonical = (
            f"POST\n/\n\ncontent-type:{_CONTENT_TYPE}\nhost:{options.host}\n\n{_SIGNED_HEADERS}\n"
        )
        self._headers = {
            "Content-Type": _CONTENT_TYPE,
            "Host": options.host,
            "User-Agent": f"airflow_provider_permitocr/{__version__}",
            "X-TC-Action": ACTION,
            "X-TC-Version": VERSION,
            "X-TC-Language": options.site.language,
        }
        if options.region:
            self._headers["X-TC-Region"] = options.region

    def headers(self, payload_hash: str) -> dict[str, str]:
        """Return all headers of a request, signed as of now.

        :param payload_hash: SHA-256 of the body, in hexadecimal.
        """
        timestamp = int(self._clock())
        date = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
        # All three at once: temporary credentials may be renewed by another thread in between.
        secret_id, secret_key, token = self._credential.get_credential_info()
        scope = f"{date}/{SERVICE}/tc3_request"
        hashed = hashlib.sha256(f"{self._canonical}{payload_hash}".encode()).hexdigest()
        text = f"{_ALGORITHM}\n{timestamp}\n{scope}\n{hashed}"
        signature = self._sign(secret_key, date, SERVICE, text)
        headers = self._headers | {
            "X-TC-Timestamp": str(timestamp),
            "Authorization": f"{_ALGORITHM} Credential={secret_id}/{scope},"
            f" SignedHeaders={_SIGNED_HEADERS}, Signature={signature}",
        }
        return headers | {"X-TC-Token": token} if token else headers
