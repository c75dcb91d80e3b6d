"""The package's errors. Each says what happened, to which key, and what to do about it.

::

    PermitOcrError
    ├── ConfigurationError            a table, column, connection or option is wrong; retrying changes nothing
    │   ├── SourceError               the image list
    │   └── TargetError               the result table
    │       └── RowsRefusedError      it refuses some rows in every form
    ├── CallError                     one call returned no fields; its decision says what to do
    ├── ImageError                    one image can't be sent; no call is made
    │   ├── ImageRejectedError        until it changes
    │   └── ImageUnavailableError     for now
    │
    │   These end a run; images not tried are left for the next:
    ├── AccountError                  the account, its keys or its settings fail every call
    ├── ApiUnreachableError           nothing could be sent for a while
    ├── ThrottledTooLongError         the service kept throttling calls
    ├── TooManyFailuresError          too many images fail
    ├── CapReachedError               no more calls are allowed
    ├── RunStoppedError               the run was asked to stop
    ├── FencedError                   a newer try of the task has started
    ├── UnreachableError              a database can't be used now
    ├── LedgerError                   the ledger's database refuses what is written into it
    │   └── LedgerUnreachableError    (also an UnreachableError) it may be tried again
    └── JournalError                  the journal can't be written

A failed call or an unfit image never ends a run. Only the operator turns these into Airflow's errors.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

_ENDS: Final = (".", "!", "?", "…", "。")


def sentences(*parts: str) -> str:
    """Join parts as sentences: each but the last ends with one full stop, and empty ones are left out."""
    given = [part.strip() for part in parts if part.strip()]
    ended = [part if part.endswith(_ENDS) else f"{part}." for part in given[:-1]]
    return " ".join([*ended, *given[-1:]])


class PermitOcrError(Exception):
    """Base class of this package's errors."""

    def also(self, words: str) -> None:
        """Add a further error that it caused."""
        self.args = (f"{self}. {words}",)


class ConfigurationError(PermitOcrError):
    """A table, column, connection or option is wrong; trying again changes nothing."""


class SourceError(ConfigurationError):
    """The image list cannot be read as described."""


class TargetError(ConfigurationError):
    """The result table cannot be used as described."""


class RowsRefusedError(TargetError):
    """The result table takes some rows in no form."""


class RunStoppedError(PermitOcrError):
    """The run was asked to stop; the next run continues with what was not tried."""


class CapReachedError(PermitOcrError):
    """No more calls are allowed; the next run continues with what was not tried.

    :param day_ends_in: the time zone whose midnight allows more calls; None: the cap is a run's.
    """

    def __init__(self, message: str, *, day_ends_in: str | None = None) -> None:
        super().__init__(message)
        self.day_ends_in = day_ends_in


class TooManyFailuresError(PermitOcrError):
    """Too many images fail; the rest is left for the next run."""


class ImageError(PermitOcrError):
    """One image cannot be sent. No call was made.

    :param code: short name for the ``error_code`` column.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ImageRejectedError(ImageError):
    """The API would refuse this image; it stays rejected until it changes."""


class ImageUnavailableError(ImageError):
    """The image could not be read now. The next run tries again.

    :param is_outage: whether the image could not be reached, for instance because of its host, its store, the
        network or a setting. The run then does not count as a try of the image.
    """

    def __init__(self, code: str, message: str, *, is_outage: bool = False) -> None:
        super().__init__(code, message)
        self.is_outage = is_outage


class Decision(StrEnum):
    """What a failed call means for its image and for the run."""

    THROTTLE = "throttle"  #: slow down, try again, use up no retry
    RETRY = "retry"  #: a transient error; once the calls are used up, the next run tries again
    UNCLEAR = "unclear"  #: as RETRY, but fewer calls: it may not be transient, and calls may be billed
    LATER = "later"  #: no more calls in this run; what the API fetched is not an image, but may be one later
    UNREACHABLE = "unreachable"  #: the service cannot be reached: all calls wait, then the run stops
    IMAGE = "image"  #: this image will never be recognized
    ACCOUNT = "account"  #: every call would get this answer: stop the run
    REPAIR = "repair"  #: sign again and try once more, then as ACCOUNT


#: Faults of the account, its keys or its settings.
OF_ACCOUNT: Final = frozenset({Decision.ACCOUNT, Decision.REPAIR})
#: Faults that every call meets, and that have no part in the image that meets them.
OF_ALL: Final = OF_ACCOUNT | {Decision.UNREACHABLE}


class CallError(PermitOcrError):
    """A call that returned no fields.

    :param code: the API's error code, or ``Client…`` for faults on the way.
    :param decision: what to do about it.
    :param request_id: the service's ``RequestId``; '' if no answer arrived.
    :param billed: whether the call is billed; None if unknown.
    :param was_sent: False if nothing of the request left the worker, or there were no keys to sign it. The
        run then does not count as a try of the image.
    :param retry_after: seconds to wait before another call, if the answer requested that.
    :param advice: how to fix it; '' if nothing helps.
    """

    def __init__(
        self,
        code: str,
        message: str,
        decision: Decision,
        request_id: str = "",
        *,
        billed: bool | None = None,
        was_sent: bool = True,
        retry_after: float | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(f"{code}: {message} (RequestId {request_id or 'none'})")
        self.code = code
        self.message = message
        self.decision = decision
        self.request_id = request_id
        self.billed = billed
        self.was_sent = was_sent
        self.retry_after = retry_after
        self.advice = advice

    def bare(self) -> CallError:
        """Return an equal error without a traceback, which would keep the call's image in memory."""
        return CallError(
            self.code,
            self.message,
            self.decision,
            self.request_id,
            billed=self.billed,
            was_sent=self.was_sent,
            retry_after=self.retry_after,
            advice=self.advice,
        )


class AccountError(PermitOcrError):
    """The account, its credentials or its settings fail every call, so the run stopped.

    :param code: the API's error code.
    """

    def __init__(self, call_error: CallError, advice: str) -> None:
        super().__init__(sentences(str(call_error), advice))
        self.code = call_error.code
        self.request_id = call_error.request_id


class ApiUnreachableError(PermitOcrError):
    """The API could not be reached for a while; the images are left for the next run."""


class ThrottledTooLongError(PermitOcrError):
    """The service kept throttling calls; the images are left for the next run."""


class UnreachableError(PermitOcrError):
    """A database cannot be used now: it is restarting, locked or unreachable."""


class LedgerError(PermitOcrError):
    """The ledger's database refuses what is written to it; calls that it does not record are not made."""


class LedgerUnreachableError(LedgerError, UnreachableError):
    """The ledger cannot be used now; trying again may help."""


class FencedError(PermitOcrError):
    """A newer try of this task has started; this one makes no more calls."""


class JournalError(PermitOcrError):
    """The journal cannot be written."""
