"""Looks at connections of the API: are they there, whole, and do their credentials work."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

from airflow_provider_permitocr.cli.findings import Finding, Verdict
from airflow_provider_permitocr.core.errors import ConfigurationError
from airflow_provider_permitocr.hooks.connection import client_options, find_connection, requests_per_slot
from airflow_provider_permitocr.hooks.mainland_permit_ocr import MainlandPermitOcrHook

_SUBJECT = "connection"
#: Codes of the SDK for faults on the way; all others are answers of the service.
_ON_THE_WAY = ("Client", "ServerNetworkError")
#: By code, the narrower before the wider.
_REMEDIES = {
    "AuthFailure.SignatureExpire": "set this machine's clock right",
    "AuthFailure.TokenFailure": "temporary credentials have ended: renew SecretId, SecretKey and token",
    "AuthFailure": "correct SecretId, SecretKey and site of the connection",
}
_LONGEST_MESSAGE = 160


@dataclass(frozen=True)
class Account:
    """Who pays for the calls of a connection, and what its slots stand for.

    :param secret_id: tells accounts apart; never shown.
    """

    secret_id: str = field(repr=False)
    requests_per_slot: float


def read_account(conn_id: str) -> Account:
    """Read a connection of type ``tencentcloud``.

    :raises ConfigurationError: naming the field to change.
    """
    connection = find_connection(conn_id)
    return Account(client_options(connection).secret_id, requests_per_slot(connection))


def check_connection(conn_id: str, *, ask: bool) -> Finding:
    """Check a connection of type ``tencentcloud``.

    :param ask: ask Tencent Cloud, free of charge, whether the credentials are valid.
    """
    try:
        read_account(conn_id)
    except ConfigurationError as error:
        return Finding(Verdict.WRONG, _SUBJECT, str(error))
    if ask:
        return _credentials(conn_id)
    message = f"{conn_id} is filled in; Tencent Cloud was not asked whether its keys are valid"
    return Finding(Verdict.OK, _SUBJECT, message)


def _credentials(conn_id: str) -> Finding:
    hook = MainlandPermitOcrHook(conn_id)
    valid, message = hook.test_connection()
    if valid:
        return Finding(Verdict.OK, _SUBJECT, f"{conn_id}: {message}")
    if not message.startswith(_ON_THE_WAY):
        remedies = (remedy for code, remedy in _REMEDIES.items() if message.startswith(code))
        return Finding(Verdict.WRONG, _SUBJECT, f"{conn_id}: {message}", next(remedies, ""))
    if "@" in (hook.client_options.proxy or ""):
        # The words of a library that could not make sense of the proxy's URL, password included.
        message = message.partition(":")[0]
    return Finding(
        Verdict.WRONG,
        _SUBJECT,
        f"{conn_id}: Tencent Cloud could not be asked: {textwrap.shorten(message, _LONGEST_MESSAGE)}",
        remedy="correct host, proxy or CA bundle of the connection, or leave this call out with --offline",
    )
