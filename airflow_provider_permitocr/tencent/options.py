"""How to reach the API, and as whom."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from airflow_provider_permitocr.core.api import SITES, Site

#: These go into headers; what a copied key brings along unseen would only show as a fault of the network.
_HEADER_VALUE = re.compile(r"[!-~]+")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")
#: A day. What is much longer, or infinite, overflows in the operating system's timers.
_LONGEST_TIMEOUT = 86_400


@dataclass(frozen=True)
class ClientOptions:
    """One account at one site.

    :param token: of temporary credentials.
    :param endpoint: host name, with a port if need be, in place of the site's own.
    :param protocol: ``https``, or ``http`` for the local emulator.
    :param region: only sent where given; the API does not need one.
    :param connect_timeout: seconds until a connection has to be there.
    :param read_timeout: seconds between two bytes, of the request or of the answer.
    :param call_timeout: seconds for a call from its first byte to its last, connecting included.
    :param proxy: URL of an HTTP or SOCKS proxy; by default that of the environment, with its ``NO_PROXY``.
    :param ca_bundle: file or directory of the certificate authorities to trust; by default that of
        ``REQUESTS_CA_BUNDLE`` or ``CURL_CA_BUNDLE``, or else certifi's.
    """

    secret_id: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    site: Site = SITES["intl"]
    endpoint: str | None = None
    protocol: str = "https"
    region: str = ""
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    call_timeout: float = 120.0
    proxy: str | None = field(default=None, repr=False)
    ca_bundle: str | None = None

    def __post_init__(self) -> None:
        self._check_header_values()
        if self.protocol not in ("http", "https"):
            raise ValueError(f"the connection's schema must be https or http, not {self.protocol!r}")
        if self.endpoint is not None and not _HOST.fullmatch(self.endpoint):
            raise ValueError(
                f"the connection's host must be a bare host name such as {self.site.endpoint},"
                f" not {self.endpoint!r}; http or https goes into schema"
            )
        for name in ("connect_timeout", "read_timeout", "call_timeout"):
            if not 0 < getattr(self, name) <= _LONGEST_TIMEOUT:
                raise ValueError(
                    f"the connection's {name} must be above 0 and at most {_LONGEST_TIMEOUT} seconds,"
                    f" not {getattr(self, name)!r}"
                )
        if self.ca_bundle is not None and not Path(self.ca_bundle).exists():
            raise ValueError(f"the connection's ca_bundle {self.ca_bundle!r} does not exist on this machine")

    @property
    def host(self) -> str:
        """Host name that calls go to, with its port if that is not the protocol's own."""
        # In small letters: the service puts the header in small letters before it checks the signature.
        return (self.endpoint or self.site.endpoint).lower()

    def _check_header_values(self) -> None:
        for value, label in (
            (self.secret_id, "SecretId (login)"),
            (self.secret_key, "SecretKey (password)"),
            (self.token, "token"),
            (self.region or None, "region"),
        ):
            # Not which value: it may be a secret.
            if value is not None and not _HEADER_VALUE.fullmatch(value):
                raise ValueError(
                    f"the connection's {label} is empty, or has spaces or other characters than plain ASCII"
                    " in it; copy it anew"
                )
