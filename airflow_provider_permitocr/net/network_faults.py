"""What went wrong on the way, in words for whoever has to mend it."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import Final

_PROXY_STATUS: Final = re.compile(r"Tunnel connection failed: (\d{3})")
#: What a certificate is not valid for: the host, which may be a value of the image list.
_HOST: Final = re.compile(r" for '[^']*'")


def reason(error: BaseException) -> str:
    """Say what a fault of urllib3 or of the system means.

    Its own words are left out, but for those of TLS and the operating system: they may quote what was
    sent, or a proxy's password. No host is named.
    """
    from urllib3 import exceptions

    for kind, words in (
        (exceptions.ProxyError, "the proxy did not connect"),
        (exceptions.NameResolutionError, "its name could not be resolved"),
        (exceptions.ConnectTimeoutError, "it could not be connected to in time"),
        (exceptions.ReadTimeoutError, "the connection was not secured in time"),
        (exceptions.NewConnectionError, "it could not be connected to"),
        (exceptions.SSLError, "TLS failed"),
        (exceptions.IncompleteRead, "the answer ended early"),
        (exceptions.DecodeError, "the answer could not be decompressed"),
        (exceptions.ClosedPoolError, "this client has been closed"),
    ):
        if isinstance(error, kind):
            return f"{words} ({', '.join(_details(error))})"
    inner = next((each for each in _causes(error) if isinstance(each, HTTPException)), None)
    if isinstance(inner, IncompleteRead):
        words = "the answer ended early"
    elif inner is None or isinstance(inner, RemoteDisconnected):
        words = "the connection was lost"
    else:
        words = "what came back is no HTTP"
    return f"{words} ({', '.join(_details(error))})"


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
