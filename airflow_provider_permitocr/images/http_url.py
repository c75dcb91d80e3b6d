"""An http(s) URL taken apart, once: what is checked is what is then connected to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urljoin

from airflow_provider_permitocr.errors import ImageRejectedError
from airflow_provider_permitocr.net.address_rules import literal_address

_PORTS: Final = {"http": 80, "https": 443}
#: What names the server, the path and the query; what follows a # is for browsers.
_PARTS: Final = re.compile(r"([^:/?#]*://[^\\/?#]*)([^?#]*)(\?[^#]*)?", re.DOTALL)
#: What stands encoded in a URL already, and what may stand there as it is (RFC 3986), so that a signature of
#: the URL stays good; all else is encoded.
_ENCODED: Final = re.compile(r"(%[0-9A-Fa-f]{2})")
_PLAIN: Final = "/?:@!$&'()*+,;=-._~"
#: As resolvers and certificates have them; a last label of digits alone would be a number to some parsers.
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?!\d+\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
)


@dataclass(frozen=True, repr=False)
class HttpUrl:
    """A URL without user info and fragment.

    :param scheme: ``http`` or ``https``.
    :param host: a name in small letters and without a dot at its end, or an address in its usual spelling.
    :param target: path and query, as a request names them: encoded as UTF-8, and only what is not yet.
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

        :raises ValueError: when it is no http(s) URL that could be followed.
        """
        # http.client reads headers as Latin-1, though servers that encode nothing write UTF-8.
        readable = location.encode("latin-1", "replace").decode("utf-8", "replace")
        return read_url(urljoin(self.whole, readable))


def read_url(text: str) -> HttpUrl:
    """Take a URL apart.

    :raises ValueError: without the URL, when it is no http(s) URL, has no host that could
        be one, or holds a user.
    """
    from urllib3.util import parse_url

    parts = _PARTS.match(text)
    try:
        # The server alone: of a path urllib3 encodes what is encoded already, and takes parts away.
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
    """Take a URL of the image list apart.

    :raises ImageRejectedError: ImageReferenceUnknown, when it is none that could be asked.
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
