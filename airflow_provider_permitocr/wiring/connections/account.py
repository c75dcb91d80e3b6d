"""Whose account a connection leads to, and whether it lets anyone in; asked of STS, free of charge."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_permitocr.errors import (
    AccountError,
    CallError,
    ConfigurationError,
    Decision,
    PermitOcrError,
    sentences,
)
from airflow_provider_permitocr.tencent.sts import Identity


def account_of(conn_id: str, given: str | None, ask: Callable[[], Identity]) -> str:
    """Return the id of the account that pays for a connection's calls.

    :param given: what the connection itself says.
    :param ask: asks STS; raises ``CallError``.
    :raises AccountError: when STS refuses the keys, or the role.
    :raises PermitOcrError: when STS cannot be asked at the moment.
    """
    if given:
        return given
    try:
        return ask().account
    except CallError as error:
        if error.decision is Decision.ACCOUNT:
            raise AccountError(
                error, sentences(error.advice, "No call was made, so nothing is paid for.")
            ) from None
        raise PermitOcrError(
            f"connection {conn_id!r}: whose account it is could not be found out ({error}); try again, or"
            " put the account's id into the connection's field account, which spares the question"
        ) from None


def try_keys(ask: Callable[[], Identity]) -> tuple[bool, str]:
    """Tell whether the keys of a connection are valid, and whose they are, or what is wrong.

    :param ask: reads the connection and asks STS.
    """
    try:
        return True, f"The credentials are valid: {ask()}"
    except CallError as error:
        return False, sentences(f"{error.code}: {error.message}", error.advice)
    except ConfigurationError as error:
        return False, str(error)
