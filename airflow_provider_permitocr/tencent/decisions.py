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
    """Return what an error means for an image that the API fetched by its URL.

    The content is unknown here: it may have been an error or login page, or a truncated file.
    """
    if look_up(error.code).is_of_content:
        error.decision = Decision.LATER
    return error


def look_up(code: str) -> ErrorCode:
    """Return the entry for a code, or else for the part before its last dot.

    An unknown code may be transient: a few calls are made, then the next run tries again.
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
    """Make a call's error, with the consequences of its code.

    :param message: may only contain the service's own words, nothing that was sent or answered.
    :param is_whole: whether the service may have received the complete request; if not, it is not billed.
    :param was_sent: whether any of the request left the worker.
    :param retry_after: seconds to wait before another call, if the answer says so.
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
