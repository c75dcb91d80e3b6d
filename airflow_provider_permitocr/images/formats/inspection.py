"""Free check before a paid call: an image's actual format and size, and whether its file is complete.

A damaged file is refused if walking its structure shows the damage. No further checks are needed: the API
refuses undecodable images free of charge.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Final

from airflow_provider_permitocr.errors import ImageRejectedError
from airflow_provider_permitocr.images.formats.jpeg_structure import read_jpeg
from airflow_provider_permitocr.images.formats.png_structure import SIGNATURE, png_size
from airflow_provider_permitocr.permit.api import MAX_PIXELS, ImageFormat

#: Formats that ``images/conversion/convert.py`` makes a JPEG or PNG of.
CONVERTIBLE: Final = frozenset({"AVIF", "BMP", "GIF", "HEIC", "HEIF", "PDF", "TIFF", "WEBP"})

#: How much of a file's beginning to examine for its format; long white space would be slow.
_LOOKED_AT: Final = 4096
#: What a server or program temporarily serves instead of an image: an error, a login page, reserved space.
_WRONG_CONTENTS: Final = frozenset({"HTML", "JSON", "XML", "NUL bytes", "plain text"})
#: Signatures of files that are not images but turn up instead of them: error pages, archives.
_BEGINNINGS: Final = (
    (re.compile(re.escape(SIGNATURE)), ImageFormat.PNG.value),
    (re.compile(rb"\xff\xd8\xff"), ImageFormat.JPEG.value),
    (re.compile(rb"GIF8[79]a"), "GIF"),
    (re.compile(rb"BM"), "BMP"),
    (re.compile(rb"II[*+]\x00|MM\x00[*+]"), "TIFF"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WEBP"),
    (re.compile(rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51"), "JPEG 2000"),
    (re.compile(rb"\x00\x00\x00\x0cJXL |\xff\x0a"), "JPEG XL"),
    (re.compile(rb"8BPS"), "PSD"),
    (re.compile(rb"\x00\x00\x01\x00"), "ICO"),
    (re.compile(rb"PK\x03\x04"), "ZIP"),
    # Readers look for it in the first kilobyte.
    (re.compile(rb"(?=.{0,1019}?%PDF-)", re.DOTALL), "PDF"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<[?!][^>]*>\s*)*<svg\b", re.IGNORECASE), "SVG"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml\b", re.IGNORECASE), "XML"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<[!a-z]", re.IGNORECASE), "HTML"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*[\[{]\s*[\"\[\]{}\w-]"), "JSON"),
    (re.compile(rb"\x00{16}"), "NUL bytes"),
)
_NOT_OF_TEXT: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
#: No image is shorter, and its format could not be determined.
_SHORTEST: Final = 12
#: ISO/IEC 23008-12 (HEIF), annex B, and AV1 Image File Format, 6: by the brands that a file declares.
_BRANDS: Final = (
    ("AVIF", frozenset({b"avif", b"avis"})),
    ("HEIC", frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"})),
    ("HEIF", frozenset({b"mif1", b"mif2", b"msf1"})),
)


@dataclass(frozen=True, slots=True)
class InspectedImage:
    """What an image's bytes show.

    :param image_format: PNG, JPEG, or one that the API does not read, such as HEIC.
    :param width: in pixels; width and height are None for formats that the API does not read.
    :param is_ended: False for a JPEG without its end marker, which is nearly always truncated.
    """

    image_format: str
    width: int | None = None
    height: int | None = None
    is_ended: bool = True

    @property
    def is_accepted(self) -> bool:
        """Whether the API reads this format."""
        return self.image_format in list(ImageFormat)

    @property
    def is_wrong_content(self) -> bool:
        """Whether it is not an image, and may be a temporary replacement for one."""
        return self.image_format in _WRONG_CONTENTS

    @property
    def is_convertible(self) -> bool:
        """Whether the extra ``images`` makes it into one that the API reads."""
        return self.image_format in CONVERTIBLE


def inspect_image(image: bytes) -> InspectedImage:
    """Return an image's actual format and size, and make sure that its file is complete.

    Neither pixels nor the tables before them are decoded: a JPEG that is damaged but complete passes.

    :raises ImageRejectedError: unknown format (ImageFormatUnsupported); truncated (ImageTruncated); damaged
        or without pixels (ImageBroken); more pixels than decoders accept (ImageSizeTooLarge).
    """
    image_format = find_format(image)
    if image_format == ImageFormat.PNG:
        width, height = png_size(image)
        check_dimensions(width, height)
        return InspectedImage(image_format, width, height)
    if image_format == ImageFormat.JPEG:
        jpeg = read_jpeg(image)
        check_dimensions(jpeg.width, jpeg.height)
        return InspectedImage(image_format, jpeg.width, jpeg.height, jpeg.is_ended)
    return InspectedImage(image_format)


def check_dimensions(width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse an image without pixels, or with too many.

    :raises ImageRejectedError: ImageBroken or ImageSizeTooLarge.
    """
    if width <= 0 or height <= 0:
        raise ImageRejectedError("ImageBroken", f"the image has {width} x {height} pixels")
    if width * height > max_pixels:
        raise ImageRejectedError(
            "ImageSizeTooLarge",
            f"the image has {width:,} x {height:,} pixels; at most {max_pixels:,} in total can be read",
        )


def find_format(image: bytes) -> str:
    """Return an image's format by its content.

    :raises ImageRejectedError: ImageTruncated, or ImageFormatUnsupported if the format is unknown.
    """
    if image[4:8] == b"ftyp":
        return _media_format(image)
    start = image[:_LOOKED_AT]
    for beginning, name in _BEGINNINGS:
        if beginning.match(start):
            return name
    if _is_text(start):
        return "plain text"
    if len(image) < _SHORTEST:
        raise ImageRejectedError("ImageTruncated", f"the image is truncated after {len(image)} bytes")
    raise ImageRejectedError("ImageFormatUnsupported", "the content is not in a known image format")


def _is_text(start: bytes) -> bool:
    try:
        # The last character may be cut in two.
        text = codecs.getincrementaldecoder("utf-8")().decode(start)
    except ValueError:
        return False
    return not _NOT_OF_TEXT.search(text)


def _media_format(image: bytes) -> str:
    end = min(int.from_bytes(image[:4]), len(image), 256)
    brands = {image[8:12], *(image[start : start + 4] for start in range(16, end, 4))}
    return next((name for name, known in _BRANDS if brands & known), "MP4")
