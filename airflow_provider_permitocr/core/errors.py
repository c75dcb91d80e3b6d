"""The package's error tree. Each says what happened, to which key, and what to do about it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_permitocr.core.models import ImageFacts


class PermitOcrError(Exception):
    """Root of every error that this package raises on purpose."""


class ConfigurationError(PermitOcrError):
    """A table, column, connection or option is wrong; trying again changes nothing."""


class SourceError(ConfigurationError):
    """The image list cannot be read as described."""


class TargetError(ConfigurationError):
    """The result table cannot be used as described."""


class RunStoppedError(PermitOcrError):
    """The run was asked to stop; what was not tried is left for the next run."""


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
    """

    def __init__(self, code: str, message: str, decision: Decision, request_id: str = "") -> None:
        super().__init__(f"{code}: {message} (RequestId {request_id or 'none'})")
        self.code = code
        self.message = message
        self.decision = decision
        self.request_id = request_id


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
