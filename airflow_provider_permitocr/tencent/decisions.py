"""What follows from an error code, for its image, for the run and for the bill."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from airflow_provider_permitocr.errors import CallError, Decision
from airflow_provider_permitocr.permit.error_codes import SERVICE_CODES, ErrorCode
from airflow_provider_permitocr.tencent.wire_codes import WIRE_CODES

ERROR_CODES: Final = {each.code: each for each in SERVICE_CODES + WIRE_CODES}
_UNKNOWN_CODE: Final = ErrorCode(
    "",
    Decision.UNCLEAR,
    None,
    "an unknown code: it may be transient, or the image's fault",
)


def of_fetched(error: CallError) -> CallError:
    """Return what an error means for an image that the API has fetched by its URL.

    Nobody here has seen what was there: it may have been an error or a login page, or half of a file.
    """
    if look_up(error.code).is_of_content:
        error.decision = Decision.LATER
    return error


def look_up(code: str) -> ErrorCode:
    """Return what is known of a code: of itself, or else of what stands before its last dots.

    An unknown one may be transient: a few calls are made, then the next run tries again.
    """
    if code in ERROR_CODES:
        return ERROR_CODES[code]
    prefix = code.rpartition(".")[0]
    while prefix:
        if (known := ERROR_CODES.get(prefix)) and known.is_prefix:
            return replace(known, code=code)
        prefix = prefix.rpartition(".")[0]
    return replace(_UNKNOWN_CODE, code=code)


def call_error(
    code: str,
    message: str,
    request_id: str = "",
    *,
    is_whole: bool = True,
    was_sent: bool = True,
    retry_after: float | None = None,
) -> CallError:
    """Make the error of a call, with what follows from its code.

    :param message: nothing of what was sent or answered but the service's own words.
    :param is_whole: whether the service may have got the whole request; if not, nothing is paid for.
    :param was_sent: whether any of the request left the worker.
    :param retry_after: seconds to wait before another call, if the answer asked for that.
    """
    known = look_up(code)
    return CallError(
        code,
        message,
        known.decision,
        request_id,
        billed=known.billed if is_whole else False,
        was_sent=was_sent,
        retry_after=retry_after,
        advice=known.advice,
    )
