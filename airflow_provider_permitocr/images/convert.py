"""Images that the API would refuse for their format or size, made into ones that it reads.

Pillow, pillow-heif and pypdfium2 (extra ``images``) are imported with the first image that needs them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from airflow_provider_permitocr.core.errors import (
    ConfigurationError,
    ImageError,
    ImageRejectedError,
    ImageUnavailableError,
)
from airflow_provider_permitocr.core.image_format import InspectedImage
from airflow_provider_permitocr.core.image_loader import EXTRA

_END_OF_IMAGE: Final = b"\xff\xd9"


class ImageConverter:
    """Converts and shrinks images; both methods are ``ConvertImage`` of ``core/image_loader.py``.

    As measured, a picture in work takes 250 MB where it is as large as any that is taken
    (``MAX_DECODED_PIXELS``), 100 MB with the 12 million pixels of most phones' HEIC, and over twice that
    where it is transparent; more than 8 bits to a color take more. So few are in work at once.

    :param max_at_once: pictures in work; other threads wait.
    """

    def __init__(self, max_at_once: int = 2) -> None:
        self._turns = threading.BoundedSemaphore(max_at_once)

    def convert(self, image: bytes, inspected: InspectedImage, max_bytes: int) -> tuple[bytes, str]:
        """Make an image of a foreign format, or a JPEG without its end, into one that the API reads.

        HEIC, AVIF, WebP, TIFF, BMP, GIF and PDF become JPEG, or PNG where they are black on white, upright
        and without metadata. A JPEG that lacks its end marker but no pixel is completed, else untouched.

        :param max_bytes: most bytes of the result.
        :return: the file, and what was done in words.
        :raises ImageRejectedError: ImageBroken, ImageTruncated, ImageHasPages, ImageEncrypted,
            ImageSizeTooLarge, ImageTooLarge, or ImageFormatUnsupported where a package is missing.
        :raises ImageUnavailableError: ImageNoMemory.
        """
        with self._turns, _refusals(inspected):
            if inspected.is_accepted:
                return _completed(image, max_bytes), "end marker added"
            encoded, before, after = _anew(image, inspected, max_bytes)
        note = f"converted from {inspected.image_format}"
        return encoded, note if before == after else f"{note}, shrunk from {_by(before)} to {_by(after)}"

    def shrink(self, image: bytes, inspected: InspectedImage, max_bytes: int) -> tuple[bytes, str]:
        """Encode a PNG or JPEG anew, so that it fits: with less quality first, then with fewer pixels.

        Parameters, result and errors are those of :meth:`convert`.
        """
        with self._turns, _refusals(inspected):
            encoded, _, after = _anew(image, inspected, max_bytes)
        before = (inspected.width or 0, inspected.height or 0)
        note = f"shrunk from {_by(before)}, {len(image):,} bytes, to {_by(after)}, {len(encoded):,} bytes"
        return encoded, note


def find_converter(*, required: bool = False) -> ImageConverter | None:
    """Return a converter if Pillow is installed.

    :param required: the user has asked for what cannot be done without.
    :raises ConfigurationError: naming the extra to install, where it is required and missing.
    """
    try:
        import PIL  # noqa: F401 (its version alone; what is heavy comes with the first image)
    except ImportError:
        if required:
            raise ConfigurationError(f"Images(shrink_oversized=True) needs Pillow: install {EXTRA}") from None
        return None
    _keep_metadata_out_of_the_log()
    return ImageConverter()


def _keep_metadata_out_of_the_log() -> None:
    """Cap Pillow's loggers: at DEBUG they print where, when and by whom an image was taken."""
    logger = logging.getLogger("PIL")
    if logger.level < logging.INFO:
        logger.setLevel(logging.INFO)


def _anew(
    image: bytes, inspected: InspectedImage, max_bytes: int
) -> tuple[bytes, tuple[int, int], tuple[int, int]]:
    from airflow_provider_permitocr.images.decode import decode
    from airflow_provider_permitocr.images.encode import encode

    picture = decode(image, inspected.image_format)
    encoded, size = encode(picture, max_bytes)
    return encoded, picture.size, size


def _completed(jpeg: bytes, max_bytes: int) -> bytes:
    from airflow_provider_permitocr.images.decode import check_whole

    try:
        check_whole(jpeg)
    except OSError:
        raise ImageRejectedError(
            "ImageTruncated", f"the JPEG breaks off: its {len(jpeg):,} bytes lack its end"
        ) from None
    completed = jpeg + _END_OF_IMAGE
    if len(completed) > max_bytes:
        raise ImageRejectedError(
            "ImageTooLarge", f"the JPEG has {len(completed):,} bytes with its end; {max_bytes:,} are the most"
        )
    return completed


@contextmanager
def _refusals(inspected: InspectedImage) -> Iterator[None]:
    """Turn whatever a decoder raises into a refusal: what files can hold is without end."""
    name = inspected.image_format
    try:
        yield
    except ImageError:
        raise
    except ImportError as error:
        raise ImageRejectedError(
            "ImageFormatUnsupported",
            f"the image is {name}, and {error.name} to convert it is missing; install {EXTRA}",
        ) from None
    except MemoryError:
        raise ImageUnavailableError(
            "ImageNoMemory", f"the {name} did not fit into the worker's memory"
        ) from None
    except Exception:  # noqa: BLE001 (decoders raise what they like)
        raise ImageRejectedError("ImageBroken", f"the {name} is damaged: it cannot be decoded") from None


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
