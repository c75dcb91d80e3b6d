"""From an image value to a request that the API would not refuse, at no cost."""

from __future__ import annotations

import base64
import stat
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from airflow_provider_permitocr.core.api import ImageFormat
from airflow_provider_permitocr.core.errors import ImageRejectedError, ImageUnavailableError
from airflow_provider_permitocr.core.models import ImageRow, ImageValue, PermitRequest

_ACCEPTED: Final = {b"\x89PNG\r\n\x1a\n": ImageFormat.PNG, b"\xff\xd8\xff": ImageFormat.JPEG}
_REFUSED: Final = {b"GIF8": "GIF", b"BM": "BMP", b"II*\x00": "TIFF", b"MM\x00*": "TIFF", b"%PDF": "PDF"}
_UNDERSTOOD: Final = "an http(s) URL, a file:// URL, an absolute path, a data: URI or bytes"
_FILE_URL: Final = "a file URL must be of the form file:///absolute/path"


def build_request(row: ImageRow, *, ret_profile: bool, max_base64_bytes: int) -> PermitRequest:
    """Load and check one row's image.

    :param max_base64_bytes: the site's limit for an image after base64 encoding.
    :raises ImageRejectedError: the API would refuse it.
    :raises ImageUnavailableError: it cannot be read at the moment.
    """
    value = row.image
    if isinstance(value, str) and value.lower().startswith(("http://", "https://")):
        return PermitRequest(row.card_side, ret_profile, image_url=value)
    image = _load(value, max_bytes=max_base64_bytes // 4 * 3)
    check_format(image)
    return PermitRequest(row.card_side, ret_profile, image=image)


def check_format(image: bytes) -> ImageFormat:
    """Tell an image's format from its first bytes, whatever its name says.

    :raises ImageRejectedError: for any format but PNG and JPEG.
    """
    for magic, image_format in _ACCEPTED.items():
        if image.startswith(magic):
            return image_format
    raise ImageRejectedError(
        "ImageFormatUnsupported", f"{_foreign_format(image)}; the API reads PNG and JPEG only"
    )


def _foreign_format(image: bytes) -> str:
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return "the image is WEBP"
    if image[4:8] == b"ftyp":
        return "the image is HEIC or AVIF"
    for magic, name in _REFUSED.items():
        if image.startswith(magic):
            return f"the image is {name}"
    return "the content is of no known image format"


def _load(value: ImageValue, max_bytes: int) -> bytes:
    if value is None or (isinstance(value, str | bytes) and not value):
        raise ImageRejectedError("ImageMissing", "the image column is NULL or empty in this row")
    if isinstance(value, bytes):
        image = value
    elif not isinstance(value, str):
        # A frame's column may hold anything, whatever the types say.
        raise _unknown_reference(f"the image is a {type(value).__name__}; give {_UNDERSTOOD}")
    elif value.startswith("data:"):
        image = _from_data_uri(value)
    elif value.startswith("/") or value.lower().startswith("file:"):
        image = _from_file(_path(value), max_bytes)
    else:
        raise _unknown_reference(f"the text is no reference to an image; give {_UNDERSTOOD}")
    if not image:
        raise ImageRejectedError("ImageEmpty", "the image has no content")
    if len(image) > max_bytes:
        raise _too_large(len(image), max_bytes)
    return image


def _path(reference: str) -> Path:
    if not reference.lower().startswith("file:"):
        return Path(reference)
    try:
        parts = urlsplit(reference)
    except ValueError:
        raise _unknown_reference(_FILE_URL) from None
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise _unknown_reference(_FILE_URL)
    return Path(unquote(parts.path))


def _from_file(path: Path, max_bytes: int) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            # Opening a pipe would wait for ever.
            raise ImageUnavailableError("ImageUnreadable", "there is no regular file at the path")
        with path.open("rb") as file:
            # One byte more than allowed tells "too large" without loading a file of any size.
            image = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise ImageUnavailableError(
            "ImageNotFound", "there is no file at the path in the image list"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ImageUnavailableError("ImageUnreadable", f"the file could not be read: {reason}") from None
    if len(image) > max_bytes:
        raise _too_large(status.st_size, max_bytes)
    return image


def _from_data_uri(value: str) -> bytes:
    header, comma, payload = value.partition(",")
    if not comma or not header.endswith(";base64"):
        raise _unknown_reference("a data: URI must be of the form data:image/png;base64,…")
    try:
        return base64.b64decode(payload, validate=True)
    except ValueError:
        raise _unknown_reference("the data: URI does not hold valid base64") from None


def _unknown_reference(message: str) -> ImageRejectedError:
    return ImageRejectedError("ImageReferenceUnknown", message)


def _too_large(size: int, max_bytes: int) -> ImageRejectedError:
    return ImageRejectedError(
        "ImageTooLarge", f"the image has {size:,} bytes; the site takes {max_bytes:,} (before base64) at most"
    )
