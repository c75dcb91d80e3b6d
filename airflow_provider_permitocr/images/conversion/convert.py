"""Images that the API would refuse for their format or size, made into ones that it reads.

Pillow, pi-heif and pypdfium2 (extra ``images``) are imported only by the processes that decode.
"""

from __future__ import annotations

import importlib.util
import threading
from typing import Final

from airflow_provider_permitocr.errors import ConfigurationError, ImageRejectedError
from airflow_provider_permitocr.extras import install
from airflow_provider_permitocr.images.conversion.reader import Task
from airflow_provider_permitocr.images.conversion.reader_process import (
    Answer,
    ReaderEndedError,
    ReaderProcess,
    Request,
    too_much_memory,
    why_ended,
)
from airflow_provider_permitocr.images.formats.ending import is_cut_off
from airflow_provider_permitocr.images.formats.inspection import InspectedImage

_END_OF_IMAGE: Final = b"\xff\xd9"


class ImageConverter:
    """Converts and shrinks images; both methods are ``ConvertImage`` of ``images/request_builder.py``.

    Files are decoded in separate processes (``reader.py``), which are started as they are needed.

    :param max_in_flight: pictures in work, in as many processes; other threads wait.
    """

    def __init__(self, max_in_flight: int = 2) -> None:
        self._turns = threading.BoundedSemaphore(max_in_flight)
        self._idle: list[ReaderProcess] = []

    def convert(self, image: bytes, inspected: InspectedImage, max_bytes: int) -> tuple[bytes, str]:
        """Make an image of a foreign format, or a JPEG without its end, into one that the API reads.

        HEIC, AVIF, WebP, TIFF, BMP, GIF and PDF become JPEG, or PNG if they are black on white, upright
        and without metadata. A JPEG that lacks its end marker but no pixel is completed, else untouched.

        :param max_bytes: most bytes of the result.
        :return: the file, and a description of the conversion.
        :raises ImageRejectedError: ImageBroken, ImageTruncated, ImageHasPages, ImageEncrypted,
            ImageSizeTooLarge, ImageTooLarge, ImageTooComplex, or ImageFormatUnsupported if a package is
            missing.
        :raises ImageUnavailableError: ImageReaderFailed.
        """
        if inspected.is_accepted:
            return self._completed(image, inspected, max_bytes), "end marker added"
        answer = self._answer(Task.ENCODE, image, inspected, max_bytes)
        note = f"converted from {inspected.image_format}"
        if answer.before != answer.after:
            note += f", shrunk from {_by(answer.before)} to {_by(answer.after)}"
        return answer.content, note

    def shrink(self, image: bytes, inspected: InspectedImage, max_bytes: int) -> tuple[bytes, str]:
        """Re-encode a PNG or JPEG to fit: reduce quality first, then pixels.

        Parameters, result and errors are those of :meth:`convert`.
        """
        answer = self._answer(Task.ENCODE, image, inspected, max_bytes)
        before = (inspected.width or 0, inspected.height or 0)
        return answer.content, (
            f"shrunk from {_by(before)}, {len(image):,} bytes, to {_by(answer.after)},"
            f" {len(answer.content):,} bytes"
        )

    def close(self) -> None:
        """End idle processes; later conversions start new ones."""
        while self._idle:
            self._idle.pop().close()

    def _completed(self, jpeg: bytes, inspected: InspectedImage, max_bytes: int) -> bytes:
        self._answer(Task.CHECK, jpeg, inspected, max_bytes)
        completed = jpeg + _END_OF_IMAGE
        if len(completed) > max_bytes:
            raise ImageRejectedError(
                "ImageTooLarge",
                f"the JPEG has {len(completed):,} bytes with its end marker; at most {max_bytes:,} are"
                " allowed",
            )
        return completed

    def _answer(self, task: Task, image: bytes, inspected: InspectedImage, max_bytes: int) -> Answer:
        request = Request(task, image, inspected.image_format, max_bytes)
        with self._turns:
            answer = self._asked(request, self._idle.pop() if self._idle else ReaderProcess())
        if answer.code or answer.fault:
            raise _refusal(answer, request, inspected)
        return answer

    def _asked(self, request: Request, reader: ReaderProcess) -> Answer:
        """Ask a reader; ask another one if earlier images may have caused its failure."""
        is_fresh = reader.is_fresh
        try:
            answer = reader.ask(request)
        except ReaderEndedError as error:
            reader.close()
            if error.is_timed or is_fresh:
                raise why_ended(request.image_format, error) from None
            return self._asked(request, ReaderProcess())
        except BaseException:
            reader.close()
            raise
        if answer.fault == "memory":
            reader.close()
            return answer if is_fresh else self._asked(request, ReaderProcess())
        self._idle.append(reader)
        return answer


def find_converter(*, required: bool = False) -> ImageConverter | None:
    """Return a converter if Pillow is installed.

    :param required: the user requested something that requires Pillow.
    :raises ConfigurationError: naming the extra to install, if it is required and missing.
    """
    if importlib.util.find_spec("PIL"):
        return ImageConverter()
    if required:
        raise ConfigurationError(f"ImageAccess(shrink_oversized=True) needs Pillow: {install('images')}")
    return None


def _refusal(answer: Answer, request: Request, inspected: InspectedImage) -> ImageRejectedError:
    name = request.image_format
    if answer.code:
        return ImageRejectedError(answer.code, answer.message)
    if answer.fault == "memory":
        return too_much_memory(name)
    if answer.fault == "package":
        return ImageRejectedError(
            "ImageFormatUnsupported",
            f"the image is {name}, and {answer.package} to convert it is missing: {install('images')}",
        )
    if not inspected.is_ended or is_cut_off(request.image, name):
        return ImageRejectedError(
            "ImageTruncated", f"the {name} is truncated: its {len(request.image):,} bytes lack its end"
        )
    return ImageRejectedError("ImageBroken", f"the {name} is damaged: it cannot be decoded")


def _by(size: tuple[int, int]) -> str:
    width, height = size
    return f"{width}x{height}"
