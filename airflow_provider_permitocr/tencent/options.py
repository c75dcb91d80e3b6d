"""How to reach the API, and the keys to use."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from airflow_provider_permitocr.permit.api import SITES, Site
from airflow_provider_permitocr.tencent.endpoints import AllowedEndpoints, is_trusted, origin
from airflow_provider_permitocr.tencent.keys.credentials import Keys, check_header_values

_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")
#: By name or by number, of the account's own or of a service (cloud.tencent.com/document/api/1312/48197).
_ROLE = re.compile(r"qcs::cam::uin/\d+:role(Name)?/[\w+=,.@/-]+", re.ASCII)
#: Of a role, as the console takes it.
ROLE_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,128}", re.ASCII)
#: The longest that STS issues keys for.
_LONGEST_ROLE = 43_200
#: A day. What is much longer, or infinite, overflows in the operating system's timers.
_LONGEST_TIMEOUT = 86_400


class CredentialKind(StrEnum):
    """Where the keys come from that calls are signed with, or that a role is assumed with."""

    KEYS = "keys"  #: the connection itself: SecretId, SecretKey and, if they are temporary, a token
    ENVIRONMENT = "environment"  #: the variables and the file that the SDK and tccli read
    CVM_ROLE = "cvm_role"  #: the role that is bound to the CVM instance
    TKE_OIDC = "tke_oidc"  #: the role of the pod's service account in TKE


@dataclass(frozen=True)
class Role:
    """A role to assume, with temporary keys issued by STS.

    :param arn: as the console shows it, ``qcs::cam::uin/ACCOUNT:roleName/NAME``.
    :param session_name: name of this session in the account's audit log.
    :param seconds: requested lifetime of each pair of keys; the role may allow less.
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
        """The account of the role, which pays for its calls."""
        return self.arn.removeprefix("qcs::cam::uin/").partition(":")[0]


@dataclass(frozen=True)
class ClientOptions:
    """One account at one site.

    :param secret_id: empty, like the next two, unless ``credentials`` is ``keys``.
    :param token: of temporary credentials.
    :param credentials: where the keys come from.
    :param role: a role to assume with these keys for calls. With ``tke_oidc``, the role of the service
        account.
    :param cvm_role_name: the instance's role, with ``cvm_role``; by default, the instance's metadata names
        it.
    :param endpoint: host name, optionally with a port, instead of the site's.
    :param protocol: ``https``, or ``http`` for an emulator on this machine.
    :param allowed: other hosts that may get images and signatures, even unencrypted.
    :param region: only sent if given; the API does not need one.
    :param connect_timeout: maximum seconds to open a connection.
    :param read_timeout: maximum seconds between two bytes of the request or the answer.
    :param call_timeout: maximum seconds for a whole call, including connecting.
    :param proxy: URL of an HTTP or SOCKS proxy; by default from the environment, with its ``NO_PROXY``.
    :param ca_bundle: file or directory of the certificate authorities to trust; by default from
        ``REQUESTS_CA_BUNDLE`` or ``CURL_CA_BUNDLE``, or else certifi's.
    """

    secret_id: str = ""
    secret_key: str = field(default="", repr=False)
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
    credentials: CredentialKind = CredentialKind.KEYS
    cvm_role_name: str | None = None
    allowed: AllowedEndpoints = field(default_factory=AllowedEndpoints)

    def __post_init__(self) -> None:
        self._check_credentials()
        check_header_values((self.region or None, "region"))
        if self.protocol not in ("http", "https"):
            raise ValueError(f"the connection's host must be reached by https or http, not {self.protocol!r}")
        if self.endpoint is not None and not _HOST.fullmatch(self.endpoint):
            raise ValueError(
                f"the connection's host must be a host name such as {self.site.endpoint}, optionally with"
                f" https:// or http:// and a port, not {self.endpoint!r}"
            )
        self.allowed.check("host", self.protocol, self.host)
        self.allowed.check_proxy(self.protocol, self.proxy)
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

    @property
    def foreign_endpoint(self) -> str | None:
        """The host that calls go to, if it needed permission."""
        return None if is_trusted(self.protocol, self.host) else origin(self.protocol, self.host)

    def _check_credentials(self) -> None:
        if self.credentials is CredentialKind.KEYS:
            if not (self.secret_id or self.secret_key or self.token):
                raise ValueError(
                    "the connection's SecretId (login) and SecretKey (password) are empty; fill them in, or"
                    " set credentials in the extra to the source of the keys: "
                    + ", ".join(kind for kind in CredentialKind if kind is not CredentialKind.KEYS)
                )
            _ = self.keys
        elif self.secret_id or self.secret_key or self.token:
            raise ValueError(
                f"the connection's credentials is {self.credentials}, but it also has keys; leave SecretId"
                " (login), SecretKey (password) and token empty, or set credentials to keys"
            )
        if self.cvm_role_name is None:
            return
        if self.credentials is not CredentialKind.CVM_ROLE:
            raise ValueError(
                f"the connection has a cvm_role_name, but its credentials is {self.credentials}; set it to"
                " cvm_role, or leave cvm_role_name empty"
            )
        if not ROLE_NAME.fullmatch(self.cvm_role_name):
            raise ValueError(
                "the connection's cvm_role_name must be a role's name as the console shows it, not"
                f" {self.cvm_role_name!r}"
            )
