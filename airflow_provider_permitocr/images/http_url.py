"""Parses an http(s) URL once, so that the connection uses exactly what was checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urljoin

from airflow_provider_permitocr.errors import ImageRejectedError
from airflow_provider_permitocr.net.address_rules import literal_address

_PORTS: Final = {"http": 80, "https": 443}
#: The parts for server, path and query; browsers don't send the fragment.
_PARTS: Final = re.compile(r"([^:/?#]*://[^\\/?#]*)([^?#]*)(\?[^#]*)?", re.DOTALL)
#: Characters that are already encoded, or need no encoding (RFC 3986), stay, so that a signed URL stays
#: valid; all others are encoded.
_ENCODED: Final = re.compile(r"(%[0-9A-Fa-f]{2})")
_PLAIN: Final = "/?:@!$&'()*+,;=-._~"
#: As in resolvers and certificates; some parsers would read a last label of only digits as a number.
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?!\d+\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
)


@dataclass(frozen=True, repr=False)
class HttpUrl:
    """A URL without user info and fragment.

    :param scheme: ``http`` or ``https``.
    :param host: a name in small letters and without a dot at its end, or an address in its usual spelling.
    :param target: path and query, as in a request: encoded as UTF-8, unless already encoded.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        """The URL of the server's root."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}/"

    @property
    def whole(self) -> str:
        """The URL as a text."""
        return self.origin[:-1] + self.target

    def joined(self, location: str) -> HttpUrl:
        """Follow a ``Location`` header, which may be relative.

        :raises ValueError: when it is not a usable http(s) URL.
        """
        # http.client decodes headers as Latin-1, but servers that don't percent-encode send UTF-8.
        readable = location.encode("latin-1", "replace").decode("utf-8", "replace")
        return read_url(urljoin(self.whole, readable))


def read_url(text: str) -> HttpUrl:
    """Parse a URL.

    :raises ValueError: without quoting the URL, when it is not an http(s) URL, has an invalid host, or
        contains a user.
    """
    from urllib3.util import parse_url

    parts = _PARTS.match(text)
    try:
        # Only the server part: urllib3 would encode the path's escapes again and normalize the path.
        parsed = parse_url(parts[1] if parts else text)
        target = _encoded((parts[2] or "/") + (parts[3] or "")) if parts else "/"
    except ValueError:
        raise ValueError("is not well-formed") from None
    if parsed.scheme not in _PORTS:
        raise ValueError("is neither http nor https")
    if parsed.auth is not None:
        raise ValueError("contains a user name or password, which do not belong in a list")
    port = _PORTS[parsed.scheme] if parsed.port is None else parsed.port
    target = target if target.startswith("/") else f"/{target}"
    return HttpUrl(parsed.scheme, read_host(parsed.host or ""), port, target)


def read_listed_url(text: str) -> HttpUrl:
    """Parse a URL of the image list.

    :raises ImageRejectedError: ImageReferenceUnknown, when it is not a usable URL.
    """
    try:
        return read_url(text)
    except ValueError as error:
        raise ImageRejectedError("ImageReferenceUnknown", f"the image's URL {error}") from None


def _encoded(target: str) -> str:
    return "".join(
        each if _ENCODED.fullmatch(each) else quote(each, safe=_PLAIN) for each in _ENCODED.split(target)
    )


def read_host(text: str) -> str:
    """Bring a host into the one form that hosts are compared in.

    :raises ValueError: without the host, when it could be none.
    """
    host = text.lower().removesuffix(".")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if (address := literal_address(host)) is not None:
        return str(address)
    if not _NAME.fullmatch(host):
        raise ValueError("has no valid host")
    return host
