"""Checks API connections: that they exist, are complete, and have working credentials."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

from airflow_provider_permitocr.cli.checks.findings import Finding, noted, ok, wrong
from airflow_provider_permitocr.errors import CallError, ConfigurationError
from airflow_provider_permitocr.wiring.cloud import trial_of
from airflow_provider_permitocr.wiring.connections.extras import unknown_extras
from airflow_provider_permitocr.wiring.connections.tencentcloud import (
    client_options,
    find_connection,
    foreign_hosts,
    foreign_words,
    given_account,
    requests_per_slot,
)

_SUBJECT = "connection"
#: Codes of the SDK for faults on the way; all others are answers of the service.
_ON_THE_WAY = ("Client", "ServerNetworkError")
_LONGEST_MESSAGE = 200
_ADVICE = "correct host, proxy or CA bundle of the connection"


@dataclass(frozen=True)
class Account:
    """Who pays for a connection's calls, and what its slots allow.

    :param payer: identifies the account; never shown.
    """

    payer: str = field(repr=False)
    requests_per_slot: float


def read_account(conn_id: str) -> Account:
    """Read a connection of type ``tencentcloud``.

    :raises ConfigurationError: naming the field to change.
    """
    connection = find_connection(conn_id)
    options = client_options(connection)
    # Connections without keys that use the same kind of machine credentials have the same keys.
    owner = options.role.account if options.role else options.secret_id or options.credentials
    return Account(given_account(connection) or owner, requests_per_slot(connection))


def check_connection(conn_id: str, *, ask: bool) -> Finding:
    """Check a connection of type ``tencentcloud``.

    :param ask: ask Tencent Cloud, free of charge, whether the credentials are valid.
    """
    try:
        read_account(conn_id)
    except ConfigurationError as error:
        return wrong(_SUBJECT, str(error))
    if ask:
        return _credentials(conn_id)
    message = f"{conn_id} is complete; its keys were not checked with Tencent Cloud"
    return ok(_SUBJECT, message)


def note_connection(conn_id: str) -> list[Finding]:
    """Report noteworthy facts of a working connection: foreign endpoints, and extras that nothing reads."""
    try:
        connection = find_connection(conn_id)
        options = client_options(connection)
    except ConfigurationError:
        return []  # check_connection reports it
    notes = [foreign_words(conn_id, host) for host in foreign_hosts(connection, options)]
    if options.site.name == "mainland":
        notes.append(
            f"{conn_id}: the mainland site sends no warnings of copies or edits (warn_ columns stay NULL);"
            " Tencent's RecognizeGeneralCardWarn, another API, examines cards for these"
        )
    if unknown := unknown_extras(connection.extra_dejson):
        notes.append(f"{conn_id}: its extra has {', '.join(map(repr, unknown))}, which are not used")
    return [noted(_SUBJECT, note) for note in notes]


def _credentials(conn_id: str) -> Finding:
    try:
        trial = trial_of(conn_id)
    except ConfigurationError as error:
        return wrong(_SUBJECT, str(error))
    except CallError as error:
        return _refusal(conn_id, error)
    message = f"{conn_id}: the credentials are valid: {trial.identity}"
    if trial.unknown:
        message += f"; whether the API may be called is unknown ({trial.unknown})"
    return ok(_SUBJECT, message)


def _refusal(conn_id: str, error: CallError) -> Finding:
    message = f"{error.code}: {error.message}"
    advice = error.advice[:1].lower() + error.advice[1:]
    if not error.code.startswith(_ON_THE_WAY):
        return wrong(_SUBJECT, f"{conn_id}: {message}", advice)
    return wrong(
        _SUBJECT,
        f"{conn_id}: Tencent Cloud could not be asked: {textwrap.shorten(message, _LONGEST_MESSAGE)}",
        remedy=f"{advice or _ADVICE}, or skip this check with --offline",
    )
