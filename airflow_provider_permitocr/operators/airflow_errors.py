"""How the package's errors reach Airflow, and whether Airflow retries the task."""

from __future__ import annotations

from typing import Final, NoReturn

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_permitocr.errors import (
    AccountError,
    CapReachedError,
    ConfigurationError,
    PermitOcrError,
)

#: A retry a few minutes later meets the same.
_IN_VAIN: Final = (AccountError, CapReachedError)


def raise_in_airflow(error: PermitOcrError, *, has_policy: bool = False) -> NoReturn:
    """Raise an error as Airflow knows it.

    :param has_policy: the task has a ``retry_policy``, which sees the error itself and decides. Airflow does
        not ask it about an ``AirflowFailException``, so only what is wrong in the DAG stays one.
    """
    if isinstance(error, ConfigurationError):
        raise AirflowFailException(str(error)) from None
    if has_policy:
        raise error
    if isinstance(error, _IN_VAIN):
        raise AirflowFailException(str(error)) from None
    raise AirflowException(str(error)) from error
