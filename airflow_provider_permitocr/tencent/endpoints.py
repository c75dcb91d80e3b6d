"""Which hosts may get images and signatures: Tencent Cloud's own, this machine, and those that are named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from airflow_provider_permitocr.net.address_rules import is_this_machine

#: Of a service, with or without its region and its network: ``ocr.ap-singapore.tencentcloudapi.com``,
#: ``ocr.intl.tencentcloudapi.com``, ``sts.internal.tencentcloudapi.com``.
_API: Final = re.compile(r"([a-z0-9-]+\.)+tencentcloudapi\.com(:443)?")
#: Of a region, its internal network or the accelerated domain (cloud.tencent.com/document/product/436/6224).
#: Not a bucket's host: anyone can create a bucket.
_STORE: Final = re.compile(r"cos(-internal)?\.[a-z0-9-]+\.(myqcloud\.com|tencentcos\.cn)(:443)?")
#: Hosts, with a protocol and a port if need be.
_NAMED: Final = re.compile(
    r"(?:([a-z][a-z0-9]*)://)?([a-z0-9.-]+(?::\d{1,5})?|\[[0-9a-f:.]+\](?::\d{1,5})?)/?"
)
_SEPARATORS: Final = re.compile(r"[\s,]+")
_USUAL_PORTS: Final = {"https": ":443", "http": ":80"}
#: Entry in the deployment's list that allows no other host.
_NOTHING: Final = "none"

SETTING: Final = "[permitocr] allowed_endpoints"
EMULATOR_ONLY: Final = "[permitocr] emulator_only"


@dataclass(frozen=True)
class AllowedEndpoints:
    """Hosts that are neither Tencent Cloud's nor this machine, and may get images and signatures too.

    :param named: by the connection.
    :param listed: by Airflow's configuration, which most editors of connections can't change; None: it
        leaves that to the connections.
    :param emulator_only: only this machine gets any, not even Tencent Cloud.
    """

    named: tuple[str, ...] = ()
    listed: tuple[str, ...] | None = None
    emulator_only: bool = False

    @classmethod
    def read(cls, named: str, listed: str | None, *, emulator_only: bool = False) -> AllowedEndpoints:
        """Parse both lists of hosts or URLs, separated by commas or blanks.

        :raises ValueError: for an invalid host.
        """
        limit = _read(listed, SETTING) if listed and listed.strip() else None
        return cls(_read(named, "the connection's allow_endpoint"), limit, emulator_only)

    def check(self, field: str, protocol: str, host: str) -> None:
        """Refuse a host that is not allowed.

        :param field: the connection's field that names the host.
        :raises ValueError: saying what to do.
        """
        place = origin(protocol, host)
        if self.emulator_only and not is_this_machine(host):
            raise ValueError(
                f"the connection's {field} {place} is not on this machine, and {EMULATOR_ONLY} of Airflow's"
                " configuration (AIRFLOW__PERMITOCR__EMULATOR_ONLY) refuses all others; set the host to an"
                " emulator such as http://127.0.0.1:8520, or turn the setting off"
            )
        if is_trusted(protocol, host):
            return
        if place not in self.named:
            where = "in the clear" if _is_tencents(host) else "and is not Tencent Cloud's"
            raise ValueError(
                f"the connection's {field} {place} would get images and signatures {where}; correct it, or,"
                f' if that is meant, set "allow_endpoint": "{place}" in the extra'
            )
        if self.listed is not None and place not in self.listed:
            raise ValueError(
                f"the connection's {field} {place} is not in {SETTING} of Airflow's configuration"
                " (AIRFLOW__PERMITOCR__ALLOWED_ENDPOINTS); correct it, or have Airflow's administrator add it"
            )

    def check_proxy(self, protocol: str, proxy: str | None) -> None:
        """Refuse a proxy that is not allowed and could read the traffic; with TLS, it cannot.

        :param protocol: of the requests that pass through it.
        :raises ValueError: saying what to do; without user and password.
        """
        if protocol != "http" or not proxy:
            return
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        self.check("proxy", parts.scheme, parts.netloc.rpartition("@")[2].lower())


def is_trusted(protocol: str, host: str) -> bool:
    """Return whether a host needs no permission."""
    return is_this_machine(host) or (protocol == "https" and _is_tencents(host))


def origin(protocol: str, host: str) -> str:
    """Normalize a protocol and a host for comparison."""
    return f"{protocol}://{host.lower().removesuffix(_USUAL_PORTS.get(protocol, ' '))}"


def sts_host(host: str, service: str) -> str:
    """Return where STS answers for the host of a service.

    A host that is not Tencent Cloud's is an emulator or a gateway, and serves STS as well.
    """
    if _API.fullmatch(host) and host.startswith(f"{service}."):
        return host.replace(f"{service}.", "sts.", 1)
    return host


def _is_tencents(host: str) -> bool:
    return any(pattern.fullmatch(host.lower()) for pattern in (_API, _STORE))


def _read(text: str, owner: str) -> tuple[str, ...]:
    entries = [entry for entry in _SEPARATORS.split(text.strip().lower()) if entry]
    if entries == [_NOTHING]:
        return ()
    found = [_NAMED.fullmatch(entry) for entry in entries]
    if not all(found):
        raise ValueError(f"{owner} must be hosts such as https://ocr-gateway.example.com, not {text!r}")
    return tuple(origin(each[1] or "https", each[2]) for each in found if each)
