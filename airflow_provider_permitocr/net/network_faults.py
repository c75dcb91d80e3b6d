"""Network errors, described for the person who fixes them."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import Final

from airflow_provider_permitocr.errors import PermitOcrError
from airflow_provider_permitocr.net.guarded_connection import AddressRefusedError
from airflow_provider_permitocr.net.timed_connection import TimedOutError

_PROXY_STATUS: Final = re.compile(r"Tunnel connection failed: (\d{3})")
#: Statuses with which a proxy refuses this user or host.
_PROXY_DENIALS: Final = {"401", "403", "407"}
#: The host in a certificate error, which may be a value of the image list.
_HOST: Final = re.compile(r" for '[^']*'")


class NetworkFault(StrEnum):
    """The kinds of faults, in the order in which a call can encounter them."""

    NAME_NOT_RESOLVED = "NameNotResolved"
    NOT_CONNECTED = "NotConnected"
    PROXY_FAILED = "ProxyFailed"
    PROXY_DENIED = "ProxyDenied"
    CERTIFICATE_REFUSED = "CertificateRefused"
    TLS_FAILED = "TlsFailed"
    TIMED_OUT = "TimedOut"
    CONNECTION_LOST = "ConnectionLost"
    ANSWER_TRUNCATED = "AnswerTruncated"
    NOT_HTTP = "NotHttp"
    NOT_DECOMPRESSED = "NotDecompressed"
    CLIENT_CLOSED = "ClientClosed"


class NetworkError(Exception):
    """An HTTP exchange ended without a complete response.

    :param words: without the host and anything that was sent or received.
    """

    def __init__(self, fault: NetworkFault, words: str) -> None:
        super().__init__(words)
        self.fault = fault


@contextmanager
def network_errors() -> Iterator[None]:
    """Convert everything that urllib3, ``http.client`` and the system raise to ``NetworkError``.

    A peer that does not speak HTTP can make them raise nearly anything: ``ValueError`` for a negative chunk
    length, ``OverflowError`` for one that is too large.
    """
    try:
        yield
    except (NetworkError, PermitOcrError, AddressRefusedError):
        raise
    except TimedOutError as error:
        raise NetworkError(NetworkFault.TIMED_OUT, str(error)) from None
    except Exception as error:  # noqa: BLE001
        raise NetworkError(*describe(error)) from None


def describe(error: BaseException) -> tuple[NetworkFault, str]:
    """Classify an error of urllib3 or of the system, and describe it.

    Its own message is left out, except for TLS and the operating system, because it may quote what was sent,
    or a proxy's password. The host is not named.
    """
    fault, words = _known(error) or _of_protocol(error)
    return fault, f"{words} ({', '.join(_details(error))})"


def _known(error: BaseException) -> tuple[NetworkFault, str] | None:
    from urllib3 import exceptions

    if any(isinstance(each, ssl.SSLCertVerificationError) for each in _causes(error)):
        return NetworkFault.CERTIFICATE_REFUSED, "TLS failed"
    if isinstance(error, exceptions.ProxyError) and _proxy_status(error) in _PROXY_DENIALS:
        return NetworkFault.PROXY_DENIED, "the proxy did not connect"
    for kind, fault, words in (
        (exceptions.ProxyError, NetworkFault.PROXY_FAILED, "the proxy did not connect"),
        (exceptions.NameResolutionError, NetworkFault.NAME_NOT_RESOLVED, "its name could not be resolved"),
        (exceptions.ConnectTimeoutError, NetworkFault.NOT_CONNECTED, "could not connect to it in time"),
        (exceptions.ReadTimeoutError, NetworkFault.TIMED_OUT, "the connection was not secured in time"),
        (exceptions.NewConnectionError, NetworkFault.NOT_CONNECTED, "could not connect to it"),
        (exceptions.SSLError, NetworkFault.TLS_FAILED, "TLS failed"),
        (exceptions.IncompleteRead, NetworkFault.ANSWER_TRUNCATED, "the answer ended early"),
        (exceptions.DecodeError, NetworkFault.NOT_DECOMPRESSED, "the answer could not be decompressed"),
        (exceptions.ClosedPoolError, NetworkFault.CLIENT_CLOSED, "this client has been closed"),
    ):
        if isinstance(error, kind):
            return fault, words
    return None


def _of_protocol(error: BaseException) -> tuple[NetworkFault, str]:
    from urllib3.exceptions import HTTPError

    inner = next((each for each in _causes(error) if isinstance(each, HTTPException)), None)
    if isinstance(inner, IncompleteRead):
        return NetworkFault.ANSWER_TRUNCATED, "the answer ended early"
    is_of_network = any(isinstance(each, OSError | HTTPError) for each in _causes(error))
    if isinstance(inner, RemoteDisconnected) or (inner is None and is_of_network):
        return NetworkFault.CONNECTION_LOST, "the connection was lost"
    return NetworkFault.NOT_HTTP, "the response is not HTTP"


def _proxy_status(error: BaseException) -> str | None:
    """Return the status with which a proxy refused a tunnel."""
    found = (_PROXY_STATUS.search(str(each)) for each in _causes(error))
    return next((each[1] for each in found if each), None)


def _details(error: BaseException) -> Iterator[str]:
    """Name the causes, the outermost first."""
    for each in _causes(error):
        name = type(each).__name__
        if isinstance(each, ssl.SSLError):
            said = getattr(each, "verify_message", "") or each.reason or each.errno
            yield f"{name}: {_HOST.sub('', str(said))}"
        elif isinstance(each, OSError) and each.strerror and each.errno:
            yield f"{name}: {each.strerror}"
        elif isinstance(each, OSError) and (refusal := _PROXY_STATUS.search(str(each))):
            yield f"{name}: status {refusal[1]}"
        else:
            yield name


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk from an error to its cause, however urllib3 keeps that."""
    seen: set[int] = set()
    each: object = error
    while isinstance(each, BaseException) and id(each) not in seen:
        seen.add(id(each))
        yield each
        inside = getattr(each, "original_error", None) or next(
            (value for value in each.args if isinstance(value, BaseException)), None
        )
        each = inside or each.__cause__
