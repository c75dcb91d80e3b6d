"""An emulator's options: one frozen value, checked on construction."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from airflow_provider_permitocr.emulator.faults.latency import Latency
from airflow_provider_permitocr.permit.api import (
    DEFAULT_REQUESTS_PER_SECOND,
    MAX_DOWNLOAD_SECONDS,
    SITES,
)

#: The default key pair is not a secret, because it gives access to nothing else.
DEFAULT_SECRET_ID: Final = "AKIDEMULATOR"  # noqa: S105
DEFAULT_SECRET_KEY: Final = "emulator-secret-key"  # noqa: S105
DEFAULT_ACCOUNT: Final = "100000000001"


@dataclass(frozen=True)
class KeyPair:
    """A key pair that may sign calls. Pairs of one account share its quota.

    :param secret_id: ``SecretId``.
    :param secret_key: ``SecretKey``; left out of the repr.
    :param token: makes the pair temporary, valid only with this ``X-TC-Token``.
    :param account: number of the account (uin) that owns the pair.
    :param expires_at: Unix time in seconds from which the pair is refused; never, if None.
    :param role: ``roleId:roleSessionName`` of a pair that was issued for a role.
    :raises ValueError: if an id, key or token is empty, or the id has a slash.
    """

    secret_id: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    account: str = DEFAULT_ACCOUNT
    expires_at: float | None = None
    role: str | None = None

    def __post_init__(self) -> None:
        if not self.secret_id or "/" in self.secret_id:
            raise ValueError("a secret id must not be empty nor contain '/': Authorization splits at it")
        if not self.secret_key:
            raise ValueError(f"give the secret key of {self.secret_id}")
        if self.token == "":
            raise ValueError(f"the token of {self.secret_id} is empty: leave it out for a permanent pair")
        if not self.account:
            raise ValueError(f"give the account of {self.secret_id}")


@dataclass(frozen=True)
class WebIdentity:
    """A cluster's service account, whose token can get keys of any role of its account.

    :param provider_id: the cluster's identity provider.
    :param token: left out of the repr.
    :param account: number of the account (uin).
    :raises ValueError: if one is empty.
    """

    provider_id: str
    token: str = field(repr=False)
    account: str = DEFAULT_ACCOUNT

    def __post_init__(self) -> None:
        if not (self.provider_id and self.token and self.account):
            raise ValueError("a web identity needs a provider, a token and an account")


@dataclass(frozen=True)
class EmulatorOptions:
    """All options of an emulator.

    :param host: address to listen on.
    :param port: TCP port; 0 picks a free one.
    :param keys: the known key pairs.
    :param quota: calls of MainlandPermitOCR per second and account; 0 switches it off.
    :param engine: name of the engine that reads images, see ``engines``.
    :param engine_threads: images read at the same time.
    :param latency: minimum time from arrival to answer; 0 by default.
    :param seed: of the latency's random series.
    :param faults: JSON file of scripted faults, see ``faults.py``.
    :param journal: JSONL file that gets one line per call, appended.
    :param site: ``intl`` or ``mainland``: image size, warnings and the default language.
    :param tls: directory that gets ``ca.pem``; if given, the emulator speaks HTTPS only.
    :param download_seconds: how long the download of an ``ImageUrl`` may take.
    :param instance_role: role whose keys the metadata service issues; None: no role is bound.
    :param instance_role_seconds: how long these keys are valid.
    :param web_identities: the service accounts that may assume roles by their tokens.
    :raises ValueError: naming the option and its permitted values.
    """

    host: str = "127.0.0.1"
    port: int = 0
    keys: tuple[KeyPair, ...] = (KeyPair(DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY),)
    quota: int = DEFAULT_REQUESTS_PER_SECOND
    engine: str = "rapidocr"
    engine_threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    latency: Latency = field(default_factory=Latency)
    seed: int = 0
    faults: Path | None = None
    journal: Path | None = None
    site: str = "intl"
    tls: Path | None = None
    download_seconds: float = MAX_DOWNLOAD_SECONDS
    instance_role: str | None = None
    instance_role_seconds: int = 21_600
    web_identities: tuple[WebIdentity, ...] = ()

    def __post_init__(self) -> None:
        if not self.host:
            raise ValueError("give a host to listen on, e.g. 127.0.0.1")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port {self.port} is not between 0 (a free one) and 65535")
        if not self.keys:
            raise ValueError("give at least one key pair: no call could be signed without")
        ids = [pair.secret_id for pair in self.keys]
        if len(set(ids)) != len(ids):
            raise ValueError("a secret id is given twice: each belongs to one pair")
        if self.quota < 0:
            raise ValueError(f"quota {self.quota} is negative: give calls per second, or 0 for no limit")
        if self.engine_threads < 1:
            raise ValueError(f"engine_threads is {self.engine_threads}: give 1 or more")
        if self.site not in SITES:
            raise ValueError(f"site {self.site!r} is not one of {', '.join(SITES)}")
        if self.instance_role_seconds < 1:
            raise ValueError(f"instance_role_seconds is {self.instance_role_seconds}: give 1 or more")
        if self.download_seconds <= 0:
            raise ValueError(f"download_seconds is {self.download_seconds}: give more than 0")
