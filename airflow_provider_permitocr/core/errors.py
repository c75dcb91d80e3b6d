"""The package's error tree. Each says what happened, to which key, and what to do about it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_permitocr.core.models import ImageFacts, Record


class PermitOcrError(Exception):
    """Root of every error that this package raises on purpose."""

    def also(self, words: str) -> None:
        """Say what else went wrong because of it."""
        self.args = (f"{self}. {words}",)


class ConfigurationError(PermitOcrError):
    """A table, column, connection or option is wrong; trying again changes nothing."""


class SourceError(ConfigurationError):
    """The image list cannot be read as described."""


class TargetError(ConfigurationError):
    """The result table cannot be used as described."""


class RowsRefusedError(TargetError):
    """The result table takes some rows in no form.

    :param refused: these rows, with their values.
    :param written: those of the same batch that were written.
    """

    def __init__(self, message: str, refused: Sequence[Record], written: Sequence[Record] = ()) -> None:
        super().__init__(message)
        self.refused = refused
        self.written = written


class RowLeftError(PermitOcrError):
    """A row was not tried; no result row is written for it, so that a later run takes it."""


class RunStoppedError(RowLeftError):
    """The run was asked to stop; what was not tried is left for the next run."""


class CapReachedError(RowLeftError):
    """No more calls are allowed; what was not tried is left for the next run."""


class CalledElsewhereError(RowLeftError):
    """Another run is calling for this row at the moment, or has just done so."""


class TooManyFailuresError(PermitOcrError):
    """So many images fail that going on makes no sense; the rest is left for the next run."""


class ImageError(PermitOcrError):
    """One image cannot be sent. No call was made.

    :param code: short name for the ``error_code`` column.
    :param facts: what was learnt of the image until then.
    """

    def __init__(self, code: str, message: str, facts: ImageFacts | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.facts = facts


class ImageRejectedError(ImageError):
    """The API would refuse this image; it stays rejected until it changes."""


class ImageUnavailableError(ImageError):
    """The image could not be read now; file systems come and go, so the next run tries again."""


class OutcomeUnknownError(ImageError):
    """A call for this image was under way when its worker died, and is not to be made again."""


class Decision(StrEnum):
    """What an unsuccessful call means for its image and for the run."""

    THROTTLE = "throttle"  #: slow down, try again, use up no retry
    RETRY = "retry"  #: a passing fault; once the tries are used up, the next run tries again
    RETRY_THEN_IMAGE = "retry-then-image"  #: looks passing, but a poison image looks the same
    IMAGE = "image"  #: this image will never be recognized
    ACCOUNT = "account"  #: every call would get this answer: stop the run
    REPAIR = "repair"  #: sign anew and try once more, then as ACCOUNT


class CallError(PermitOcrError):
    """A call that brought no fields.

    :param code: the API's error code, or ``Client…`` for faults on the way.
    :param decision: what follows from it.
    :param request_id: the service's ``RequestId``; '' where no answer arrived.
    :param billed: whether the call is paid for; None where nobody can tell.
    :param retry_after: seconds to wait before another call, where the answer asked for that.
    :param advice: what to do about it, for whoever has to mend it; '' where nothing helps.
    """

    def __init__(
        self,
        code: str,
        message: str,
        decision: Decision,
        request_id: str = "",
        *,
        billed: bool | None = None,
        retry_after: float | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(f"{code}: {message} (RequestId {request_id or 'none'})")
        self.code = code
        self.message = message
        self.decision = decision
        self.request_id = request_id
        self.billed = billed
        self.retry_after = retry_after
        self.advice = advice


class AccountError(PermitOcrError):
    """The account, its credentials or its settings make every call fail, so the run has stopped.

    :param code: the API's error code.
    """

    def __init__(self, call_error: CallError, advice: str) -> None:
        super().__init__(f"{call_error}. {advice}")
        self.code = call_error.code
        self.request_id = call_error.request_id


class ThrottledTooLongError(PermitOcrError):
    """The service kept refusing calls for their rate; the images are left for the next run."""
