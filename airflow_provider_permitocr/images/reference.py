"""What the value in an image list's image column refers to."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias
from urllib.parse import unquote_to_bytes

import pybase64

from airflow_provider_permitocr.engine.models import ImageValue
from airflow_provider_permitocr.errors import ImageRejectedError
from airflow_provider_permitocr.options.lists.image_list import ImageKind

_UNDERSTOOD: Final = (
    "an http(s) URL, a file path or URL, an object store's URL such as s3://bucket/key, base64, a data: URI"
    " or bytes"
)
#: Around a value these are padding, or copied from a spreadsheet or a file manager: white space, NUL, the
#: byte order mark, zero-width characters and marks of direction.
_PADDING: Final = (
    " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    "\u2009\u200a\u2028\u2029\u202f\u205f\u3000\x00\ufeff\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060"
)
_WEB: Final = re.compile(r"https?://", re.IGNORECASE)
#: A relative path would be another file on each worker, so it is not accepted, even if declared.
_STORED: Final = re.compile(r"/|file:|[a-z][a-z0-9+.-]*://", re.IGNORECASE)
#: A base64 image is never shorter, and no path is that long without a dot. An absolute path could consist of
#: this alphabet only, so with a leading slash only JPEGs are accepted.
_SURELY_BASE64: Final = re.compile(r"(?:/9j/|[A-Za-z0-9+_-])[A-Za-z0-9+/_ \t\r\n-]{256}")
#: Some write a data: URI without "data:".
_DATA_URI: Final = re.compile(r"data:|image/[a-z0-9.+-]{1,40};base64,", re.IGNORECASE)
_WHITE_SPACE: Final = b" \t\r\n\f\v"
_FROM_URL_ALPHABET: Final = bytes.maketrans(b"-_", b"+/")
_GAP: Final = re.compile(rb"[ \t\r\n\f\v]+")
#: Longest line that programs break base64 into (RFC 2045).
_LINE: Final = 76


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
    """Return what a value refers to, judged by the value itself or by its declared kind.

    White space and invisible characters around a text are not part of it. A path must be absolute, but for a
    ``Path`` of Python. Base64 may be of either alphabet (RFC 4648, 4 and 5), broken into lines, without
    padding, and with a blank for each ``+``, as a form's decoding leaves it; where the kind is not declared
    it must be longer than 256 characters. A ``data:`` URI may have parameters, and be percent-encoded (RFC
    2397).

    :raises ImageRejectedError: ImageMissing; ImageReferenceUnknown for a value that is of no known, or not of
        the declared kind.
    """
    found = _plain(value)
    if not found:
        raise ImageRejectedError("ImageMissing", "the image column is NULL or empty in this row")
    if isinstance(found, bytes):
        if kind in (ImageKind.AUTO, ImageKind.BYTES):
            return InlineImage(found)
        _refuse(f"the image is bytes, but the image list declares the kind {kind.value!r}")
    kind = _recognized_kind(found) if kind is ImageKind.AUTO else kind
    match kind:
        case ImageKind.URL if _WEB.match(found):
            return ImageUrl(found)
        case ImageKind.PATH if _STORED.match(found) and not _WEB.match(found):
            return StoredImage(found)
        case ImageKind.DATA_URI:
            return InlineImage(_from_data_uri(found))
        case ImageKind.BASE64:
            return InlineImage(_from_base64(found, "the text is not valid base64"))
    _refuse(f"the text is not of the kind {kind.value!r} that the image list declares{_hint(kind)}")


def _plain(value: Any) -> str | bytes | None:
    """Return a value as str or bytes: drivers and frames use their own types for both."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return str(value.strip(_PADDING))
    if isinstance(value, os.PathLike) or hasattr(type(value), "joinpath"):
        return _path(value)
    try:
        view = memoryview(value)
    except TypeError:
        view = None
    # An array of numbers may be a picture as well, but not its file.
    if view is None or view.ndim != 1 or view.itemsize != 1:
        _refuse(f"the image is a {type(value).__name__}; give {_UNDERSTOOD}")
    return value if type(value) is bytes else bytes(view)


def _path(value: Any) -> str:
    text = str(value)
    if "://" in text:
        return text  # an ``ObjectStoragePath`` of Airflow
    if not isinstance(value, os.PathLike):
        _refuse(f"the image is a {type(value).__name__}; give {_UNDERSTOOD}")
    return str(Path(os.fsdecode(value)).absolute())


def _recognized_kind(value: str) -> ImageKind:
    if _WEB.match(value):
        return ImageKind.URL
    if _DATA_URI.match(value):
        return ImageKind.DATA_URI
    if _SURELY_BASE64.match(value):
        return ImageKind.BASE64
    if _STORED.match(value):
        return ImageKind.PATH
    _refuse(f"the text is not an image reference; give {_UNDERSTOOD}; a path must begin with /")


def _from_data_uri(value: str) -> bytes:
    header, comma, payload = value.partition(",")
    if not comma or not _DATA_URI.match(value):
        _refuse("a data: URI must be of the form data:image/png;base64,…")
    is_base64 = header.lower().rstrip().endswith(";base64")
    try:
        if not is_base64:
            return unquote_to_bytes(payload)
        if "%" in payload:
            payload = unquote_to_bytes(payload).decode("ascii")
    except ValueError:
        _refuse("the data: URI has characters that are not allowed in a URI")
    return _from_base64(payload, "the data: URI does not contain valid base64")


def _from_base64(text: str, refusal: str) -> bytes:
    try:
        encoded = text.encode("ascii")
        try:
            return pybase64.b64decode(encoded, validate=True)  # as it mostly is; the rest takes far longer
        except ValueError:
            encoded = _without_gaps(encoded).translate(_FROM_URL_ALPHABET).rstrip(b"=")
            return pybase64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        _refuse(refusal)


def _without_gaps(encoded: bytes) -> bytes:
    """Take lines together, or put back each ``+`` that a form's decoding has turned into a blank."""
    joined = encoded.translate(None, _WHITE_SPACE)
    if b" " not in encoded or _is_in_lines(_GAP.split(encoded)):
        return joined
    filled = encoded.translate(None, _WHITE_SPACE[1:]).replace(b" ", b"+")
    # Four divides the length of base64 with padding; without, no length leaves one.
    is_whole = not len(filled) % 4 if b"=" in filled else len(filled) % 4 != 1
    return filled if is_whole else joined


def _is_in_lines(parts: list[bytes]) -> bool:
    """Return whether the parts are lines: all of equal length, except perhaps a shorter last one."""
    length = len(parts[0])
    is_even = not length % 4 and all(len(each) == length for each in parts[1:-1]) and len(parts[-1]) <= length
    return is_even and (len(parts) > 2 or length <= _LINE)


def _hint(kind: ImageKind) -> str:
    return "; a path must begin with / or be a URL" if kind is ImageKind.PATH else ""


def _refuse(message: str) -> NoReturn:
    raise ImageRejectedError("ImageReferenceUnknown", message) from None
