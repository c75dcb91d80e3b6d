"""How to reach the API, and as whom."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from airflow_provider_permitocr.net.address_rules import is_this_machine
from airflow_provider_permitocr.permit.api import SITES, Site

#: These go into headers; what a copied key brings along unseen would only show as a fault of the network.
_HEADER_VALUE = re.compile(r"[!-~]+")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")
#: By name or by number, of the account's own or of a service (cloud.tencent.com/document/api/1312/48197).
_ROLE = re.compile(r"qcs::cam::uin/\d+:role(Name)?/[\w+=,.@/-]+", re.ASCII)
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,128}", re.ASCII)
#: The longest that STS issues keys for.
_LONGEST_ROLE = 43_200
#: A day. What is much longer, or infinite, overflows in the operating system's timers.
_LONGEST_TIMEOUT = 86_400


@dataclass(frozen=True)
class Keys:
    """What a call is signed with; never changed, so that any thread has all three of one issue.

    :param token: of temporary keys.
    :raises ValueError: naming what cannot be put into a header.
    """

    secret_id: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_header_values(
            (self.secret_id, "SecretId (login)"),
            (self.secret_key, "SecretKey (password)"),
            (self.token, "token"),
        )


@dataclass(frozen=True)
class Role:
    """A role to act in, with keys that STS issues for a while.

    :param arn: as the console shows it, ``qcs::cam::uin/ACCOUNT:roleName/NAME``.
    :param session_name: what the account's audit log calls this user of the role.
    :param seconds: how long each pair of keys is asked for; the role may allow less.
    :raises ValueError: naming the connection's field.
    """

    arn: str
    session_name: str = "airflow"
    seconds: int = 7200

    def __post_init__(self) -> None:
        if not _ROLE.fullmatch(self.arn):
            raise ValueError(
                "the connection's role_arn must be of the form qcs::cam::uin/ACCOUNT:roleName/NAME,"
                f" not {self.arn!r}"
            )
        if not _SESSION_NAME.fullmatch(self.session_name):
            raise ValueError(
                "the connection's role_session_name must be 2 to 128 letters, digits and any of _+=,.@-,"
                f" not {self.session_name!r}"
            )
        if not 1 <= self.seconds <= _LONGEST_ROLE:
            raise ValueError(
                f"the connection's role_seconds must be from 1 to {_LONGEST_ROLE}, not {self.seconds!r}"
            )

    @property
    def account(self) -> str:
        """The account that the role belongs to, which pays for what is called in it."""
        return self.arn.removeprefix("qcs::cam::uin/").partition(":")[0]


@dataclass(frozen=True)
class ClientOptions:
    """One account at one site.

    :param token: of temporary credentials.
    :param role: a role to assume with these keys, for calls to be made in.
    :param endpoint: host name, with a port if need be, in place of the site's own.
    :param protocol: ``https``, or ``http`` for an emulator on this machine.
    :param allow_http: ``http`` may leave this machine, with the image, the signature and any token in the
        clear.
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
    role: Role | None = None
    allow_http: bool = False

    def __post_init__(self) -> None:
        _ = self.keys
        _check_header_values((self.region or None, "region"))
        if self.protocol not in ("http", "https"):
            raise ValueError(f"the connection's host must be reached by https or http, not {self.protocol!r}")
        if self.endpoint is not None and not _HOST.fullmatch(self.endpoint):
            raise ValueError(
                f"the connection's host must be a host name such as {self.site.endpoint}, with https:// or"
                f" http:// before it and a port behind it if need be, not {self.endpoint!r}"
            )
        if self.protocol == "http" and not self.allow_http and not is_this_machine(self.host):
            raise ValueError(
                f"the connection's host http://{self.host} would get images and signatures in the clear;"
                " write https://, or set allow_http to true in the extra if the way there is safe"
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

    @property
    def keys(self) -> Keys:
        """The keys of the connection itself: those to sign with, or to assume the role with."""
        return Keys(self.secret_id, self.secret_key, self.token)


def _check_header_values(*labelled: tuple[str | None, str]) -> None:
    for value, label in labelled:
        # Not which value: it may be a secret.
        if value is not None and not _HEADER_VALUE.fullmatch(value):
            raise ValueError(
                f"the connection's {label} is empty, or has spaces or other characters than plain ASCII"
                " in it; copy it anew"
            )
