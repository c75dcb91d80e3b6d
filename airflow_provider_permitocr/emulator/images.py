"""Gets the image of a request and checks it, as described on the API page."""

from __future__ import annotations

import asyncio
import binascii
import contextlib
import io
import re
from typing import Final

import aiohttp
import pybase64
from PIL import Image
from yarl import URL

from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.permit.api import SITES, ImageFormat

_PNG: Final = b"\x89PNG\r\n\x1a\n"
#: The mainland page allows 10 MB; the gateway's limit for the whole request is separate.
MAX_BASE64_BYTES: Final = {"intl": SITES["intl"].max_base64_bytes, "mainland": 10 * 1024 * 1024}
#: RFC 3986: characters outside of a URL's alphabet must be encoded, including blanks and Chinese characters.
_WELL_FORMED: Final = re.compile(r"https?://(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+", re.I)


def base64_bytes(raw_bytes: int) -> int:
    """Return how many bytes `raw_bytes` are after base64 encoding."""
    return -(-raw_bytes // 3) * 4


def decode_base64(text: str) -> bytes:
    """Decode ``ImageBase64``, skipping line breaks and the like.

    A ``data:`` prefix is not base64, but is decoded anyway; the result is not an image.

    :raises ApiError: ``FailedOperation.ImageDecodeFailed``.
    """
    with contextlib.suppress(ValueError):  # much faster, but refuses characters that may be skipped
        return pybase64.b64decode(text, validate=True)
    try:
        return binascii.a2b_base64(text)
    except ValueError:  # binascii.Error, or text that is not ASCII
        raise _decode_failed() from None


async def download(session: aiohttp.ClientSession, url: str, site: str, seconds: float) -> bytes:
    """Download ``ImageUrl``, reading no more than the site's limit.

    :param seconds: total time limit (the API page: 3).
    :raises ApiError: ``FailedOperation.DownLoadError`` for a URL that is not http(s) or not encoded, a
        network failure, a status other than 200 or a timeout; ``LimitExceeded.TooLargeFileError``.
    """
    if not _WELL_FORMED.fullmatch(url):
        raise _download_failed()
    largest = MAX_BASE64_BYTES[site] // 4 * 3
    image = bytearray()
    try:
        async with asyncio.timeout(seconds), session.get(URL(url, encoded=True)) as response:
            if response.status != 200:
                raise _download_failed()
            async for chunk in response.content.iter_any():
                image += chunk
                if len(image) > largest:
                    raise _too_large(site)
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
        raise _download_failed() from None
    return bytes(image)


def check_image(image: bytes, site: str) -> ImageFormat:
    """Check size, format (by content, not by name) and that the whole file can be decoded.

    :raises ApiError: ``FailedOperation.EmptyImageError`` (billed by the real service),
        ``LimitExceeded.TooLargeFileError``, ``FailedOperation.ImageSizeTooLarge`` for more pixels
        than Pillow dares to decode, or ``FailedOperation.ImageDecodeFailed``.
    """
    if not image:
        raise ApiError("FailedOperation.EmptyImageError", "The image is empty.")
    if base64_bytes(len(image)) > MAX_BASE64_BYTES[site]:
        raise _too_large(site)
    try:
        with open_image(image) as opened:
            # Pillow's MPO format is a JPEG followed by further pictures, as many phones store them.
            found = ImageFormat("JPEG" if opened.format == "MPO" else opened.format or "")
            if found is ImageFormat.PNG:
                opened.verify()  # every chunk has a checksum: no need to inflate them
            else:
                opened.draft("L", (1, 1))  # reads the whole file, but decodes an eighth of the size
                opened.load()
            return found
    except Image.DecompressionBombError:
        raise ApiError("FailedOperation.ImageSizeTooLarge", "The image has too many pixels.") from None
    except (OSError, SyntaxError, ValueError, IndexError):  # all are what Pillow raises on broken files
        raise _decode_failed() from None


def open_image(image: bytes) -> Image.Image:
    """Open a PNG or JPEG, or a PNG that libpng reads but Pillow does not, for example with a damaged comment.

    :raises OSError, SyntaxError, ValueError, Image.DecompressionBombError: as Pillow does.
    """
    try:
        return Image.open(io.BytesIO(image), formats=[*ImageFormat])
    except (OSError, SyntaxError):
        if not image.startswith(_PNG):
            raise
    return Image.open(io.BytesIO(_as_libpng_reads(image)), formats=["PNG"])


def _as_libpng_reads(png: bytes) -> bytes:
    # Heavy, and needed for few images.
    import cv2
    import numpy as np

    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise OSError("libpng does not read it either")
    return bytes(cv2.imencode(".png", pixels)[1])


def _decode_failed() -> ApiError:
    return ApiError("FailedOperation.ImageDecodeFailed", "Failed to decode the image.")


def _download_failed() -> ApiError:
    return ApiError("FailedOperation.DownLoadError", "Failed to download the file.")


def _too_large(site: str) -> ApiError:
    megabytes = MAX_BASE64_BYTES[site] // (1024 * 1024)
    return ApiError(
        "LimitExceeded.TooLargeFileError",
        f"The file size exceeds the limit of {megabytes} MB after Base64 encoding.",
    )
