"""What the value in an image list's image column refers to."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeAlias

from airflow_provider_permitocr.core.errors import ImageRejectedError
from airflow_provider_permitocr.core.models import ImageKind, ImageValue

_UNDERSTOOD: Final = (
    "an http(s) URL, a file path or URL, an object store's URL such as s3://bucket/key, base64, a data: URI"
    " or bytes"
)
_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
#: How PNG and JPEG files begin in base64; the latter would also be an absolute path.
_BASE64_BEGINNINGS: Final = ("iVBORw0KGgo", "/9j/")
#: No path is that long, nor has one this alphabet alone over such a length.
_SURELY_BASE64: Final = re.compile(r"[A-Za-z0-9+/\r\n]{256}")


@dataclass(frozen=True, slots=True)
class InlineImage:
    """The list holds the image itself."""

    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ImageUrl:
    """An http(s) URL, which the API can fetch itself."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A file or an object, by its path or its URL."""

    uri: str = field(repr=False)


Reference: TypeAlias = InlineImage | ImageUrl | StoredImage


def read_reference(value: ImageValue, kind: ImageKind = ImageKind.AUTO) -> Reference:
    """Tell what a value refers to, from the value itself or as its list declares it.

    :raises ImageRejectedError: for a value that is missing, or of no known or not of the declared kind.
    """
    if value is None or (isinstance(value, str | bytes) and not value):
        raise ImageRejectedError("ImageMissing", "the image column is NULL or empty in this row")
    if isinstance(value, bytes) and kind in (ImageKind.AUTO, ImageKind.BYTES):
        return InlineImage(value)
    if not isinstance(value, str):
        # A frame's column may hold anything, whatever the types say.
        _refuse(f"the image is a {type(value).__name__}; give {_UNDERSTOOD}")
    kind = _recognized_kind(value) if kind is ImageKind.AUTO else kind
    match kind:
        case ImageKind.URL if value.lower().startswith(("http://", "https://")):
            return ImageUrl(value)
        case ImageKind.PATH:
            return StoredImage(value)
        case ImageKind.DATA_URI:
            return InlineImage(_from_data_uri(value))
        case ImageKind.BASE64:
            return InlineImage(_from_base64(value))
    _refuse(f"the text is not of the kind {kind.value!r} that the image list declares")


def _recognized_kind(value: str) -> ImageKind:
    lower = value[:8].lower()
    if lower.startswith(("http://", "https://")):
        return ImageKind.URL
    if lower.startswith("data:"):
        return ImageKind.DATA_URI
    if value.startswith(_BASE64_BEGINNINGS) and _SURELY_BASE64.match(value):
        return ImageKind.BASE64
    if value.startswith("/") or lower.startswith("file:") or _SCHEME.match(value):
        return ImageKind.PATH
    _refuse(f"the text is no reference to an image; give {_UNDERSTOOD}")


def _from_data_uri(value: str) -> bytes:
    header, comma, payload = value.partition(",")
    if not comma or header[:5].lower() != "data:" or not header.endswith(";base64"):
        _refuse("a data: URI must be of the form data:image/png;base64,…")
    try:
        return base64.b64decode(payload, validate=True)
    except ValueError:
        _refuse("the data: URI does not hold valid base64")


def _from_base64(value: str) -> bytes:
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except ValueError:
        _refuse("the text is no valid base64")


def _refuse(message: str) -> NoReturn:
    raise ImageRejectedError("ImageReferenceUnknown", message) from None
