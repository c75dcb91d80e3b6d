"""What a series of images that fail alike usually comes from, by their error code."""

from __future__ import annotations

from typing import Final

from airflow_provider_permitocr.permit.error_codes import SERVICE_CODES

_OF_SERVICE: Final = {each.code: each.advice for each in SERVICE_CODES}
_SIDES: Final = (
    "Most likely fronts are sent as BACK, or backs as FRONT: correct card_side, default_side, or image and"
    " back_image of the list"
)
_STORE: Final = "Correct the connection, or install what the message names, on this worker"
#: By error code.
USUAL_CAUSES: Final = {
    "FailedOperation.ImageNoSpecifiedCard": f"{_SIDES}, or the list holds other documents",
    "FailedOperation.CardSideError": _SIDES,
    "FailedOperation.DownLoadError": (
        "Most likely the API cannot reach the host of the images, or their URLs have expired: check one from"
        " outside your network, or set ImageAccess(fetch_images=True, fetch_hosts=[...])"
    ),
    "ImageNotFound": (
        "Most likely the paths belong to another machine or mount, or the bucket is the wrong one"
    ),
    "ImageAccessDenied": (
        "Most likely the connection's user may not read this store, or the URLs have expired"
    ),
    "ImageHostRefused": "Name the hosts in ImageAccess(fetch_hosts=[...])",
    "ImagePathRefused": "Name the directory, or the URL it begins with, in ImageAccess(roots=[...])",
    "ImageStoreMissing": _STORE,
}


def advice(code: str) -> str:
    """Return what a person can do about images with this code; '' if nothing is known or needed."""
    return USUAL_CAUSES.get(code) or _OF_SERVICE.get(code, "")


def usual_cause(code: str | None) -> str:
    """Return what to check and change; a general hint for a code without a usual cause."""
    return USUAL_CAUSES.get(code or "", "Correct the cause")
