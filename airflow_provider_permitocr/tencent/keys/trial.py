"""Tries a connection for free: identifies its keys, and checks whether they may call the API.

The API gets an invalid image, which it refuses free of charge (``ImageDecodeFailed``;
cloud.tencent.com/document/product/866/45470). Missing rights are refused earlier, also free of charge.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

from airflow_provider_permitocr.engine.models import PermitRequest
from airflow_provider_permitocr.errors import OF_ACCOUNT, CallError, Decision
from airflow_provider_permitocr.permit.api import SITES, CardSide
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.keys.credentials import ConnectionKeys, KeySource
from airflow_provider_permitocr.tencent.keys.sts import Identity, caller_identity
from airflow_provider_permitocr.tencent.options import ClientOptions, CredentialKind

_UNKNOWN_KEYS: Final = frozenset({"AuthFailure.InvalidSecretId", "AuthFailure.SecretIdNotFound"})
#: Not empty: an empty image is the one failure that is billed.
_NO_IMAGE: Final = b"no image"


@dataclass(frozen=True)
class Trial:
    """The findings.

    :param unknown: why it is unknown whether the API can be called; '' if it can.
    :param foreign_endpoint: where images go, if not to Tencent Cloud or this machine.
    """

    identity: Identity
    unknown: str = ""
    foreign_endpoint: str | None = None


def try_account(options: ClientOptions, keys: KeySource) -> Trial:
    """Ask STS who owns these keys, and the API whether they may call it.

    :raises CallError: with advice, when either refuses, or STS can't be asked.
    """
    try:
        identity = caller_identity(options, keys)
    except CallError as error:
        raise _of_other_site(options, error) or error from None
    return Trial(identity, _call(options, keys), options.foreign_endpoint)


def _call(options: ClientOptions, keys: KeySource) -> str:
    with closing(MainlandPermitClient(options, keys)) as client:
        try:
            client.recognize(PermitRequest(CardSide.FRONT, image=_NO_IMAGE))
        except CallError as error:
            if error.decision in OF_ACCOUNT:
                raise
            return "" if error.decision is Decision.IMAGE else f"{error.code}: {error.message}"
    return ""


def _of_other_site(options: ClientOptions, error: CallError) -> CallError | None:
    """Return a clearer error if the keys are unknown here, but known to Tencent Cloud's other site."""
    is_fixed = options.endpoint is None and options.credentials is CredentialKind.KEYS
    if error.code not in _UNKNOWN_KEYS or not is_fixed:
        return None
    other = next(site for site in SITES.values() if site is not options.site)
    try:
        caller_identity(replace(options, site=other, role=None), ConnectionKeys(options.keys))
    except CallError:
        return None
    return CallError(
        error.code,
        f"these keys are unknown to the site {options.site.name}: they belong to the site {other.name}",
        error.decision,
        error.request_id,
        billed=False,
        was_sent=False,
        advice=f"Set Site (schema) of the connection to {other.name}",
    )
