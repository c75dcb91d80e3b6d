"""The check before paying: what an image is by its content, and whether the API would read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from airflow_provider_permitocr.core.api import ImageFormat
from airflow_provider_permitocr.core.errors import ImageRejectedError

_MAGIC: Final = {
    b"\x89PNG\r\n\x1a\n": ImageFormat.PNG.value,
    b"\xff\xd8\xff": ImageFormat.JPEG.value,
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"%PDF": "PDF",
}


@dataclass(frozen=True, slots=True)
class InspectedImage:
    """What an image's bytes say of it.

    :param image_format: PNG, JPEG, or one that the API does not read, such as HEIC.
    """

    image_format: str

    @property
    def is_accepted(self) -> bool:
        """Whether the API reads this format."""
        return self.image_format in list(ImageFormat)


def inspect_image(image: bytes) -> InspectedImage:
    """Tell what an image is, whatever its name says.

    :raises ImageRejectedError: when it is of no known format.
    """
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return InspectedImage("WEBP")
    if image[4:8] == b"ftyp":
        return InspectedImage("HEIC")
    for magic, name in _MAGIC.items():
        if image.startswith(magic):
            return InspectedImage(name)
    raise ImageRejectedError("ImageFormatUnsupported", "the content is of no known image format")
