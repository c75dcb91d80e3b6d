"""Error codes for faults between the worker and the service, defined by this package.

``ClientNetworkError`` and ``ServerNetworkError`` come from the SDK; what follows their dot is more specific.
Whether such a call is billed is ``_UNKNOWN`` once the complete request was sent. Before that it is free,
whatever this table says (``decisions.call_error``): an incomplete request cannot have been processed. If
nothing was sent, the run does not count as a try of the image either. Five rows decide as their prefix does:
they are here for their reason, which reports and the page show.
"""

from __future__ import annotations

from typing import Final

from airflow_provider_permitocr.errors import Decision
from airflow_provider_permitocr.net.network_faults import NetworkFault
from airflow_provider_permitocr.permit.error_codes import ErrorCode

NETWORK: Final = "ClientNetworkError"
HTTP_STATUS: Final = "ServerNetworkError"
HTTP_PROXY_DENIED: Final = f"{NETWORK}.{NetworkFault.PROXY_DENIED}"
HTTP_TOO_LARGE: Final = f"{HTTP_STATUS}.TooLarge"
HTTP_TOO_MANY: Final = f"{HTTP_STATUS}.TooManyRequests"
HTTP_UNAVAILABLE: Final = f"{HTTP_STATUS}.Unavailable"
MALFORMED: Final = "ClientMalformedAnswer"
NOT_JSON: Final = f"{MALFORMED}.NotJson"
WRONG_ENVELOPE: Final = f"{MALFORMED}.WrongEnvelope"
NO_FIELDS: Final = f"{MALFORMED}.NoFields"
TOO_LONG: Final = f"{MALFORMED}.TooLong"

_FREE: Final = False
_UNKNOWN: Final = None
_RETRY: Final = Decision.RETRY
_ACCOUNT: Final = Decision.ACCOUNT

_AUTHORITIES: Final = (
    "Name the authorities to trust in the connection's ca_bundle or in REQUESTS_CA_BUNDLE (a proxy may use"
    " its own), and check the worker's clock, because certificates are valid for a limited time"
)
_PROXY: Final = "Correct the user and the password of the connection's proxy, or let it allow this host"
_REACH: Final = "Check the connection's host and proxy, and the worker's name server and firewall"
_PROTOCOL: Final = (
    "If it persists, check the protocol and port in the connection's host, and any proxy in between"
)


def network_code(fault: NetworkFault) -> str:
    """Return the code of a fault of the network."""
    return f"{NETWORK}.{fault}"


def status_code(status: int) -> str:
    """Return the code of an HTTP status other than 200."""
    return _STATUS_CODES.get(status, HTTP_STATUS)


_STATUS_CODES: Final = {
    407: HTTP_PROXY_DENIED,
    413: HTTP_TOO_LARGE,
    429: HTTP_TOO_MANY,
    503: HTTP_UNAVAILABLE,
}


def _network(fault: NetworkFault, billed: bool | None, reason: str, advice: str = "") -> ErrorCode:
    return ErrorCode(network_code(fault), _RETRY, billed, reason, advice)


def _unreachable(fault: NetworkFault, reason: str) -> ErrorCode:
    return ErrorCode(network_code(fault), Decision.UNREACHABLE, _FREE, reason, _REACH)


#: In the order in which a call can encounter them.
WIRE_CODES: Final = (
    ErrorCode(NETWORK, _RETRY, _UNKNOWN, "the network failed"),
    _unreachable(NetworkFault.NAME_NOT_RESOLVED, "the host's name could not be resolved"),
    _unreachable(NetworkFault.NOT_CONNECTED, "could not connect to the host"),
    _unreachable(NetworkFault.PROXY_FAILED, "the proxy did not connect"),
    ErrorCode(HTTP_PROXY_DENIED, _ACCOUNT, _FREE, "the proxy refused to connect", _PROXY),
    ErrorCode(
        network_code(NetworkFault.CERTIFICATE_REFUSED),
        _ACCOUNT,
        _FREE,
        "the host's certificate is not trusted",
        _AUTHORITIES,
    ),
    _network(NetworkFault.TLS_FAILED, _UNKNOWN, "the connection could not be secured", _PROTOCOL),
    _network(
        NetworkFault.TIMED_OUT,
        _UNKNOWN,
        "it took longer than a limit",
        "If it persists, raise the limit that the message names (read_timeout, call_timeout) on the"
        " connection",
    ),
    _network(NetworkFault.CONNECTION_LOST, _UNKNOWN, "the connection was lost", _PROTOCOL),
    _network(NetworkFault.ANSWER_TRUNCATED, _UNKNOWN, "the answer ended early"),
    _network(NetworkFault.NOT_HTTP, _UNKNOWN, "the response is not HTTP", _PROTOCOL),
    _network(NetworkFault.NOT_DECOMPRESSED, _UNKNOWN, "the answer could not be decompressed"),
    _network(NetworkFault.CLIENT_CLOSED, _FREE, "this client had been closed"),
    ErrorCode(
        HTTP_STATUS,
        _RETRY,
        _UNKNOWN,
        "an HTTP status other than 200, which the API always answers",
        _PROTOCOL,
    ),
    ErrorCode(HTTP_TOO_LARGE, Decision.IMAGE, _FREE, "HTTP status 413: the request is too large"),
    ErrorCode(HTTP_TOO_MANY, Decision.THROTTLE, _FREE, "HTTP status 429: too many requests"),
    ErrorCode(HTTP_UNAVAILABLE, _RETRY, _UNKNOWN, "HTTP status 503: temporarily unavailable"),
    ErrorCode(MALFORMED, _RETRY, _UNKNOWN, "the answer differs from the API's documentation"),
    ErrorCode(TOO_LONG, _RETRY, _UNKNOWN, "the answer is longer than any of the API"),
    ErrorCode(NOT_JSON, _RETRY, _UNKNOWN, "the answer is not JSON", _PROTOCOL),
    ErrorCode(WRONG_ENVELOPE, _RETRY, _UNKNOWN, "the answer has no Response, or an Error without a Code"),
    ErrorCode(NO_FIELDS, _RETRY, _UNKNOWN, "the answer has neither an Error nor a field of the document"),
)
