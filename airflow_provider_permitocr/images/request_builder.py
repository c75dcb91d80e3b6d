"""From a row's image value to a request that the API would not refuse, at no cost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from airflow_provider_permitocr.engine.models import ImageFacts, ImageRow, PermitRequest, UnfitImage
from airflow_provider_permitocr.errors import ImageError, ImageRejectedError, ImageUnavailableError
from airflow_provider_permitocr.extras import install
from airflow_provider_permitocr.images.file import read_file
from airflow_provider_permitocr.images.formats.inspection import InspectedImage, find_format, inspect_image
from airflow_provider_permitocr.images.reference import (
    ImageUrl,
    InlineImage,
    Reference,
    StoredImage,
    read_reference,
)
from airflow_provider_permitocr.permit.status import Status

#: Contents read instead of an image while it is being written or its server has problems.
_MAY_BE_WHOLE_LATER: Final = frozenset({"ImageEmpty", "ImageTruncated", "ImageWrongContent"})
#: Reads the image at a URL or path, and at most one byte more than the given limit, to detect longer images.
#: Raises ``ImageError``. Called from several threads at once.
ReadImage: TypeAlias = Callable[[str, int], bytes]
#: Converts an image that the API would refuse because of its format, its size or its missing end, to a given
#: maximum size, and describes the conversion. Raises ``ImageError``. Called from several threads at once.
ConvertImage: TypeAlias = Callable[[bytes, InspectedImage, int], tuple[bytes, str]]


class PermitRequestBuilder:
    """Loads and checks images, from any number of threads.

    :param max_base64_bytes: the site's limit for an image after base64 encoding.
    :param with_portrait: request the portrait (``RetProfile``).
    :param download: reads http(s) URLs; None: the API fetches them itself.
    :param pass_on: converts a list's http(s) URL to the form that the API gets. Raises
        ``ImageRejectedError``.
    :param read_stored: reads files and objects.
    :param presign: converts an object's URL to an http(s) URL for the API; None if it cannot.
    :param convert: for formats that the API does not read, and JPEGs without their end; None: they are
        rejected.
    :param shrink: for images over the site's limit; None: they are rejected.
    :param max_original_bytes: largest image that is read at all, to be converted or shrunk.
    """

    def __init__(
        self,
        *,
        max_base64_bytes: int,
        with_portrait: bool = False,
        download: ReadImage | None = None,
        pass_on: Callable[[str], str] = str,
        read_stored: ReadImage = read_file,
        presign: Callable[[str], str | None] = lambda _uri: None,
        convert: ConvertImage | None = None,
        shrink: ConvertImage | None = None,
        max_original_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._with_portrait = with_portrait
        self._download, self._pass_on = download, pass_on
        self._read_stored, self._presign = read_stored, presign
        self._convert, self._shrink = convert, shrink
        self._max_bytes = max_base64_bytes // 4 * 3
        self._max_read = max(self._max_bytes, max_original_bytes) if convert or shrink else self._max_bytes

    def build(self, row: ImageRow) -> PermitRequest | UnfitImage:
        """Load and check one row's image.

        :return: the request, or why the image cannot be sent: the API would refuse it, it cannot be read
            now, or its content is not an image or is truncated.
        """
        facts = ImageFacts()
        reference: Reference | None = None
        try:
            if row.fault is not None:
                raise ImageRejectedError(row.fault.code, row.fault.message)
            reference = read_reference(row.image, row.kind)
            if url := self._passed_on(reference):
                return PermitRequest(row.card_side, self._with_portrait, image_url=url)
            image = self._read(reference)
            if len(image) > self._max_read:
                raise self._too_large(None)
            facts = ImageFacts(size=len(image))
            if not image:
                raise ImageRejectedError("ImageEmpty", "the image has no content")
            facts = replace(facts, digest=hashlib.sha256(image).hexdigest())
            facts = replace(facts, image_format=find_format(image))
            inspected = inspect_image(image)
            facts = replace(facts, width=inspected.width, height=inspected.height)
            image, prepared = self._prepare(image, inspected)
        except ImageUnavailableError as error:
            return UnfitImage(Status.RETRY, error.code, error.message, facts, counts=not error.is_outage)
        except ImageError as error:
            may_change = error.code in _MAY_BE_WHOLE_LATER and not isinstance(reference, InlineImage)
            status = Status.RETRY if may_change else Status.REJECTED
            return UnfitImage(status, error.code, error.message, facts)
        facts = replace(facts, prepared=prepared)
        if prepared and facts.width is None:
            sent = inspect_image(image)
            facts = replace(facts, width=sent.width, height=sent.height)
        return PermitRequest(row.card_side, self._with_portrait, image=image, facts=facts)

    def _passed_on(self, reference: Reference) -> str | None:
        if isinstance(reference, ImageUrl) and self._download is None:
            return self._pass_on(reference.url)
        return self._presign(reference.uri) if isinstance(reference, StoredImage) else None

    def _read(self, reference: Reference) -> bytes:
        match reference:
            case InlineImage(content):
                return content
            case StoredImage(uri):
                return self._read_stored(uri, self._max_read)
            case ImageUrl(url):
                assert self._download
                return self._download(url, self._max_read)

    def _prepare(self, image: bytes, inspected: InspectedImage) -> tuple[bytes, str | None]:
        """Return an image that can be sent, and a description of its conversion."""
        prepare = self._needed(inspected, len(image))
        return prepare(image, inspected, self._max_bytes) if prepare else (image, None)

    def _needed(self, inspected: InspectedImage, size: int) -> ConvertImage | None:
        """Return the conversion that makes the image acceptable; None if it already is."""
        if not inspected.is_accepted:
            if self._convert is None or not inspected.is_convertible:
                raise _unsupported(inspected)
            return self._convert
        if size > self._max_bytes:
            if self._shrink is None:
                raise self._too_large(size)
            return self._shrink
        if not inspected.is_ended:
            if self._convert is None:
                raise _cut_off(size)
            return self._convert
        return None

    def _too_large(self, size: int | None) -> ImageRejectedError:
        found = f"{size:,} bytes" if size else f"more than {self._max_read:,} bytes"
        shrink = "; ImageAccess(shrink_oversized=True) shrinks it" if size else ""
        return ImageRejectedError(
            "ImageTooLarge",
            f"the image has {found}; the site takes {self._max_bytes:,} (before base64) at most{shrink}",
        )


def _unsupported(inspected: InspectedImage) -> ImageRejectedError:
    if inspected.is_wrong_content:
        return ImageRejectedError(
            "ImageWrongContent",
            f"the content is {inspected.image_format} and not an image; it may be an error or login page, or"
            " a file that is not written yet",
        )
    message = f"the image is {inspected.image_format}; the API reads PNG and JPEG only"
    if inspected.is_convertible:
        message += f"; to have it converted, run: {install('images')}"
    return ImageRejectedError("ImageFormatUnsupported", message)


def _cut_off(size: int) -> ImageRejectedError:
    return ImageRejectedError(
        "ImageTruncated",
        f"the JPEG is truncated: its {size:,} bytes lack its end marker; if nothing else is missing, it can"
        f" be completed; run: {install('images')}",
    )
