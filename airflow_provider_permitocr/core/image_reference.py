"""What the value in an image list's image column refers to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NoReturn, TypeAlias
from urllib.parse import unquote_to_bytes

import pybase64

from airflow_provider_permitocr.core.errors import ImageRejectedError
from airflow_provider_permitocr.core.models import ImageKind, ImageValue

_UNDERSTOOD: Final = (
    "an http(s) URL, a file path or URL, an object store's URL such as s3://bucket/key, base64, a data: URI"
    " or bytes"
)
_WEB: Final = re.compile(r"https?://", re.IGNORECASE)
#: A relative path would mean another file on each worker, so it is no reference, declared or not.
_STORED: Final = re.compile(r"/|file:|[a-z][a-z0-9+.-]*://", re.IGNORECASE)
#: A base64 text of no image is shorter, and no path is that long without a dot.
#: An absolute path could be of that alphabet alone, so of those with a slash in front only JPEGs are taken.
_SURELY_BASE64: Final = re.compile(r"(?:/9j/|[A-Za-z0-9+_-])[A-Za-z0-9+/_\r\n-]{256}")
_WHITE_SPACE: Final = b" \t\r\n\f\v"
_FROM_URL_ALPHABET: Final = bytes.maketrans(b"-_", b"+/")


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

    A path must be absolute. Base64 may be of either alphabet (RFC 4648, 4 and 5), broken into lines, and
    without padding; where the kind is not declared it has to be longer than 256 characters. A ``data:`` URI
    may have parameters, and be percent-encoded (RFC 2397).

    :raises ImageRejectedError: ImageMissing; ImageReferenceUnknown for a value that is of no known, or not of
        the declared kind.
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
        case ImageKind.URL if _WEB.match(value):
            return ImageUrl(value)
        case ImageKind.PATH if _STORED.match(value) and not _WEB.match(value):
            return StoredImage(value)
        case ImageKind.DATA_URI:
            return InlineImage(_from_data_uri(value))
        case ImageKind.BASE64:
            return InlineImage(_from_base64(value, "the text is no valid base64"))
    _refuse(f"the text is not of the kind {kind.value!r} that the image list declares{_hint(kind)}")


def _recognized_kind(value: str) -> ImageKind:
    if _WEB.match(value):
        return ImageKind.URL
    if value[:5].lower() == "data:":
        return ImageKind.DATA_URI
    if _SURELY_BASE64.match(value):
        return ImageKind.BASE64
    if _STORED.match(value):
        return ImageKind.PATH
    _refuse(f"the text is no reference to an image; give {_UNDERSTOOD}, a path from / on")


def _from_data_uri(value: str) -> bytes:
    header, comma, payload = value.partition(",")
    if not comma or header[:5].lower() != "data:":
        _refuse("a data: URI must be of the form data:image/png;base64,…")
    is_base64 = header.lower().rstrip().endswith(";base64")
    try:
        if not is_base64:
            return unquote_to_bytes(payload)
        if "%" in payload:
            payload = unquote_to_bytes(payload).decode("ascii")
    except ValueError:
        _refuse("the data: URI holds characters that no URI may hold")
    return _from_base64(payload, "the data: URI does not hold valid base64")


def _from_base64(text: str, refusal: str) -> bytes:
    try:
        encoded = text.encode("ascii")
        try:
            return pybase64.b64decode(encoded, validate=True)  # as it mostly is; the rest takes far longer
        except ValueError:
            encoded = encoded.translate(_FROM_URL_ALPHABET, _WHITE_SPACE).rstrip(b"=")
            return pybase64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        _refuse(refusal)


def _hint(kind: ImageKind) -> str:
    return "; a path must begin with / or be a URL" if kind is ImageKind.PATH else ""


def _refuse(message: str) -> NoReturn:
    raise ImageRejectedError("ImageReferenceUnknown", message) from None
