"""Cause and remedy by error code, worded for a table that people read.

The codes of the service and of the connection to it are declared elsewhere, with their texts. The codes here
are this package's own, for images that were never sent and answers that could not be stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from airflow_provider_permitocr.permit.error_codes import ErrorCode
from airflow_provider_permitocr.permit.usual_causes import advice as usual_advice


class Advice(NamedTuple):
    """What is known about an error code.

    :param cause: what happened.
    :param advice: what to do; '' if the image itself is at fault.
    :param is_prefix: whether it also applies to its sub-codes.
    """

    cause: str
    advice: str = ""
    is_prefix: bool = False


_NEW_IMAGE: Final = "Replace the image, and update its change time in the list"
#: Without this, what was rejected stays rejected.
_REDO: Final = "run airflow permitocr redo for these images"
_SMALLER: Final = (
    "Install the extra images, set ImageAccess(shrink_oversized=True) and"
    f" {_REDO}; or replace the image by a smaller one, and update its change time in the list"
)
_OTHER_FORMAT: Final = (
    f"Install the extra images, which converts other formats, and {_REDO}; or replace the image, and update"
    " its change time in the list"
)
_REFERENCE: Final = (
    "Correct the list: an image is an http(s) URL, an absolute path, an object-store URL, base64 or bytes"
)
_READ_AGAIN: Final = "See error_message; the next run tries again"
_CALLED_AGAIN: Final = "Nothing: the next run calls for it"
#: Of images that were not sent, and of answers that were not kept.
OWN_CODES: Final[Mapping[str, Advice]] = {
    "ImageAccessDenied": Advice("the image may not be read", _READ_AGAIN),
    "ImageBroken": Advice("the image's file is damaged", _NEW_IMAGE),
    "ImageDownloadFailed": Advice("the image could not be downloaded", _READ_AGAIN),
    "ImageEmpty": Advice("the image's file is empty", _NEW_IMAGE),
    "ImageEncrypted": Advice("the document is protected by a password", _NEW_IMAGE),
    "ImageFormatUnsupported": Advice("the API does not read this format", _OTHER_FORMAT),
    "ImageHasPages": Advice("the document has several pages", "Store each page as an image of its own"),
    "ImageHostRefused": Advice("the image's host is not allowed", _READ_AGAIN),
    "ImageMissing": Advice("the list has no image for this key and side", _REFERENCE),
    "ImageNotFound": Advice("there is no such image", _READ_AGAIN),
    "ImagePathRefused": Advice("the image's path is not allowed", _READ_AGAIN),
    "ImageReaderFailed": Advice(
        "the process that converts images ended while processing this one", _NEW_IMAGE
    ),
    "ImageReferenceUnknown": Advice("the list's text does not refer to an image", _REFERENCE),
    "ImageSizeTooLarge": Advice("the image has too many pixels", _NEW_IMAGE),
    "ImageStoreMissing": Advice("the image's store is not set up on the worker", _READ_AGAIN),
    "ImageTooComplex": Advice("the image takes too much time or memory to convert", _NEW_IMAGE),
    "ImageTooLarge": Advice("the image is too large", _SMALLER),
    "ImageTruncated": Advice("the image's file ends early", _NEW_IMAGE),
    "ImageUnreadable": Advice("the image cannot be read for now", _READ_AGAIN),
    "ImageValueUnreadable": Advice("the list's database returns no readable value", _REFERENCE),
    "ImageWrongContent": Advice("the content is not an image, but for example an error page", _REFERENCE),
    "AnswerErased": Advice("its answer was erased with an identical image", _CALLED_AGAIN),
    "CallOutcomeUnknown": Advice(
        "its worker died during the call, which may have been billed",
        "Have it recognized again with airflow permitocr redo",
    ),
    "ClientKeysUnavailable": Advice(
        "the keys could not be read again", "Correct the connection's credentials"
    ),
    "LedgerRefusesAnswer": Advice(
        "the ledger's database refuses the answer",
        "Fix the constraint: the next run stores it without a call",
    ),
    "LedgerRefusesKey": Advice("the ledger cannot hold its key", "Shorten the key, or change its characters"),
    "ResultRowRefused": Advice(
        "the result table refuses the row", "Fix the constraint: the next run delivers it without a call"
    ),
}


def remedy(code: str) -> str:
    """Return what a person can do about images with this code; '' if nothing is known, or runs do it."""
    own = OWN_CODES[code].advice if code in OWN_CODES else ""
    return usual_advice(code) or ("" if own in (_READ_AGAIN, _CALLED_AGAIN) else own)


def advice_by_code(codes: Iterable[ErrorCode]) -> dict[str, Advice]:
    """Return the advice for each code, including this package's own.

    :param codes: of the service and of the wire.
    """
    known = {each.code: Advice(each.reason, each.advice, each.is_prefix) for each in codes}
    return {
        code: advice._replace(advice=usual_advice(code) or advice.advice)
        for code, advice in sorted({**known, **OWN_CODES}.items())
    }
