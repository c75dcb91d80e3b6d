"""A POST over pooled connections: bytes out, bytes in, or a ``CallError``."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, cast

from airflow_provider_permitocr.errors import CallError
from airflow_provider_permitocr.net.body import read_body
from airflow_provider_permitocr.net.connection_pool import open_pool
from airflow_provider_permitocr.net.network_faults import NetworkError, network_errors
from airflow_provider_permitocr.net.timed_connection import TimeLimits, sent_bytes, within
from airflow_provider_permitocr.tencent.decisions import call_error
from airflow_provider_permitocr.tencent.options import ClientOptions
from airflow_provider_permitocr.tencent.wire_codes import TOO_LONG, network_code, status_code

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

#: A portrait is cut from an image of 7 MB at most, nearly always of a tenth of that; the other fields are
#: short.
MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
#: Longer waits are cut to this: a wrong clock or a typo should not stop a run for a day. The next run
#: recognizes what is left.
MAX_RETRY_AFTER_SECONDS: Final = 300.0
#: Of a header that makes sense.
_LONGEST_HEADER: Final = 64
_EXPIRED: Final = "AuthFailure.SignatureExpire"
#: A signature may be this old, or that much ahead (tencentcloud.com/document/api/1005/34678).
_MINUTES_ALLOWED: Final = 5
_SECONDS: Final = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A decoded response body.

    :param retry_after: seconds to wait before another call, if the answer says so.
    :param date: the server's time of the answer, in Unix time; None if it does not say.
    """

    body: bytes = field(repr=False)
    retry_after: float | None = None
    date: float | None = None


class Transport:
    """Sends requests to one host, from any number of threads. No retries, redirects, cookies or netrc.

    :raises ConfigurationError: when the proxy or the file of authorities cannot be used.
    """

    def __init__(self, options: ClientOptions) -> None:
        self._host = options.host
        self._connect_timeout = min(options.connect_timeout, options.call_timeout)
        self._limits = TimeLimits(options.read_timeout, options.call_timeout)
        url = f"{options.protocol}://{options.host}/"
        self._pool, self._target = open_pool(url, proxy=options.proxy, ca_bundle=options.ca_bundle)

    def post(self, headers: dict[str, str], body: bytes | bytearray) -> HttpAnswer:
        """Send a request and return the answer.

        :raises CallError: ``ClientNetworkError...`` when no complete response came in time,
            ``ServerNetworkError...`` for another HTTP status than 200, ``ClientMalformedAnswer.TooLong`` for
            more than 8 MiB.
        """
        response: BaseHTTPResponse | None = None
        with within(self._limits):
            try:
                with network_errors():
                    response = self._send(headers, body)
                    return self._read(response)
            except NetworkError as error:
                raise self._call_error(error, body) from None
            finally:
                if response is not None:
                    # Closes the connection, unless all was read: then it is back in the pool already.
                    response.close()
                    response.release_conn()

    def close(self) -> None:
        """Close all connections that are not in use, and those in use once their call ends."""
        self._pool.close()

    def _send(self, headers: dict[str, str], body: bytes | bytearray) -> BaseHTTPResponse:
        from urllib3 import Timeout

        return self._pool.urlopen(
            "POST",
            self._target,
            body=cast("bytes", body),  # any buffer works, although urllib3's types only allow bytes
            headers=headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=Timeout(connect=self._connect_timeout, read=self._limits.between_bytes),
            preload_content=False,
        )

    def _read(self, response: BaseHTTPResponse) -> HttpAnswer:
        wait_seconds = retry_after(response.headers)
        if response.status != 200:
            # Don't log or store any of this answer: it may quote the request.
            raise call_error(
                status_code(response.status),
                f"{self._host} answered with HTTP status {response.status}",
                retry_after=wait_seconds,
            )
        body = read_body(response, MAX_ANSWER_BYTES)
        if len(body) > MAX_ANSWER_BYTES:
            raise call_error(TOO_LONG, f"the answer of {self._host} is longer than {MAX_ANSWER_BYTES} bytes")
        return HttpAnswer(body, wait_seconds, server_time(response.headers))

    def _call_error(self, error: NetworkError, body: bytes | bytearray) -> CallError:
        sent = sent_bytes()
        return call_error(
            network_code(error.fault),
            f"no complete response from {self._host}: {error}",
            # A request that was not sent completely cannot have been processed.
            is_whole=sent >= len(body),
            was_sent=sent > 0,
        )


def retry_after(headers: Mapping[str, str], *, now: Callable[[], float] = time.time) -> float | None:
    """Return how many seconds an answer asks to wait before another call (RFC 9110, 10.2.3), 300 at most.

    :param headers: of the answer; a time to wait for is compared with its ``Date``, if present, so that this
        machine's clock need not be right.
    :param now: Unix time in seconds.
    :return: None if the answer does not say, or not clearly.
    """
    said = headers.get("Retry-After", "").strip()[:_LONGEST_HEADER]
    if _SECONDS.fullmatch(said):
        return min(float(said), MAX_RETRY_AFTER_SECONDS)
    until = http_time(said)
    if until is None:
        return None
    sent_at = server_time(headers)
    seconds = until - (now() if sent_at is None else sent_at)
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def server_time(headers: Mapping[str, str]) -> float | None:
    """Return the Unix time of a ``Date`` header; None if it is missing or malformed."""
    return http_time(headers.get("Date", ""))


def http_time(text: str) -> float | None:
    """Parse an HTTP date; None if it is malformed."""
    try:
        moment = parsedate_to_datetime(text[:_LONGEST_HEADER])
        # Without a zone it is GMT, which HTTP has no other than.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def clock_fault(code: str, server: float | None, own: float) -> str:
    """Describe how far the clock is off, if a call was refused because of it.

    :param code: the refusal's.
    :param server: the server's clock, in Unix time; None: unknown.
    :param own: this machine's.
    :return: advice; '' for other codes, or if the clock may not be the cause.
    """
    if code != _EXPIRED or server is None:
        return ""
    minutes = round((own - server) / 60)
    if abs(minutes) < _MINUTES_ALLOWED:
        return ""
    way = "ahead" if minutes > 0 else "behind"
    return (
        f"Set this machine's clock right: it is {abs(minutes):,} minutes {way}; signatures may be off by"
        f" {_MINUTES_ALLOWED}"
    )
