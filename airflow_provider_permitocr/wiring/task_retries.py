"""How the package's errors reach Airflow, and when it retries the task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn
from zoneinfo import ZoneInfo

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_permitocr.errors import (
    AccountError,
    CapReachedError,
    ConfigurationError,
    PermitOcrError,
    ThrottledTooLongError,
)

if TYPE_CHECKING:
    from airflow.sdk import RetryDecision, RetryPolicy

#: A retry a few minutes later meets the same.
_IN_VAIN: Final = (AccountError, CapReachedError)
#: After midnight, as the ledger's clock and the worker's may differ.
_AFTER_MIDNIGHT: Final = timedelta(minutes=1)
_AFTER_THROTTLING: Final = timedelta(minutes=15)


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


@contextmanager
def airflow_errors(*, has_policy: bool = False) -> Iterator[None]:
    """Raise the package's errors inside the ``with`` block as Airflow knows them.

    :param has_policy: as for ``raise_in_airflow``.
    """
    try:
        yield
    except PermitOcrError as error:
        raise_in_airflow(error, has_policy=has_policy)


def permit_ocr_retry_policy(*, now: Callable[[], datetime] | None = None) -> RetryPolicy:
    """Return a policy for ``retry_policy=``, which needs ``retries=`` as well, and Airflow 3.3 or later.

    - A day's cap: retried after the next midnight of the budget's time zone.
    - A run's cap, and a fault of the account: not retried.
    - Throttled for too long: retried after 15 minutes.
    - Everything else: according to the task.

    :param now: the current time; None: the worker's.
    :raises ImportError: before Airflow 3.3, which has no retry policies.
    """
    try:
        from airflow.sdk import RetryDecision, RetryPolicy
    except ImportError:
        raise ImportError(
            "permit_ocr_retry_policy needs Airflow 3.3 or later. Upgrade Airflow, or leave out retry_policy:"
            " retries and retry_delay work without it"
        ) from None

    class PermitOcrRetryPolicy(RetryPolicy):
        """Decides by the package's errors."""

        def evaluate(self, exception: BaseException, *_: Any, **__: Any) -> RetryDecision:
            """Return the decision about an error."""
            if isinstance(exception, CapReachedError) and exception.day_ends_in:
                moment = now() if now else datetime.now(UTC)
                delay = until_midnight(moment, exception.day_ends_in) + _AFTER_MIDNIGHT
                return RetryDecision.retry(delay, "the day's cap is reached; it counts from 0 after midnight")
            if isinstance(exception, CapReachedError):
                return RetryDecision.fail("the run's cap is reached, and its tries share it")
            if isinstance(exception, AccountError):
                return RetryDecision.fail("the account fails every call until somebody acts")
            if isinstance(exception, ThrottledTooLongError):
                return RetryDecision.retry(_AFTER_THROTTLING, "something else uses the account's quota")
            return RetryDecision.default()

    return PermitOcrRetryPolicy()


def until_midnight(moment: datetime, timezone: str) -> timedelta:
    """Return how long it is until the next day begins in a time zone, also where a clock changes that day."""
    local = moment.astimezone(ZoneInfo(timezone))
    midnight = datetime.combine(local.date() + timedelta(days=1), datetime.min.time(), local.tzinfo)
    return midnight.astimezone(UTC) - moment.astimezone(UTC)
