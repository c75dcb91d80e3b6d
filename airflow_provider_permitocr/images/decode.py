"""Foreign files to upright pictures on white, one page each. Needs the extra ``images``."""

from __future__ import annotations

import threading
from io import BytesIO
from typing import Final

from PIL import Image, ImageOps

from airflow_provider_permitocr.core.errors import ImageRejectedError
from airflow_provider_permitocr.core.image_format import check_dimensions

#: Most pixels of a picture in memory, four bytes each in Pillow: 256 MB. The largest cameras of phones in
#: common use make 50 million; a JPEG may have more, as it can be decoded at a half of its size.
MAX_DECODED_PIXELS: Final = 64_000_000
#: A card is 85 mm wide, so it has 1,000 pixels, which is what reading takes.
_PDF_DPI: Final = 300
#: Bound for pages that are as large as posters, or say so.
_PDF_MAX_SIDE: Final = 4000
_PDF_POINTS_PER_INCH: Final = 72
_PDF_WRONG_PASSWORD: Final = 4
#: PDFium may be called from one thread at a time only (pypdfium2's README, "Thread safety").
_PDFIUM: Final = threading.Lock()
#: More bits to a pixel than 8, or measured values: their range is stretched to what a picture shows.
_DEEP_MODES: Final = ("I", "F")


def decode(image: bytes, image_format: str) -> Image.Image:
    """Decode a file that holds one picture, upright, without alpha and metadata.

    :param image_format: as ``core/image_format.py`` names it; no other decoder is tried.
    :return: of mode 1, L or RGB.
    :raises ImageRejectedError: ImageHasPages, ImageEncrypted or ImageSizeTooLarge. A broken file raises
        whatever its decoder does.
    """
    if image_format == "PDF":
        return _render_pdf(image)
    with _open(image, image_format) as opened:
        if opened.width * opened.height > MAX_DECODED_PIXELS:
            opened.draft(None, (opened.width // 2, opened.height // 2))
        check_dimensions(opened.width, opened.height, MAX_DECODED_PIXELS)
        opened.load()
        ImageOps.exif_transpose(opened, in_place=True)
        picture = _flat(opened)
    # Saving would write what it finds here: comments, a color profile, transparency.
    picture.info = {}
    return picture


def check_whole(jpeg: bytes) -> None:
    """Decode a JPEG to see that none of its pixels is missing; at an eighth of its size, to be fast.

    :raises OSError: where pixels are missing.
    """
    with Image.open(BytesIO(jpeg), formats=["JPEG"]) as opened:
        opened.draft("L", (1, 1))
        opened.load()


def _open(image: bytes, image_format: str) -> Image.Image:
    if image_format in ("HEIC", "HEIF"):
        from pillow_heif import HeifImageFile

        # Such a file says which of its images it is of, so there is no question of pages.
        opened: Image.Image = HeifImageFile(BytesIO(image))  # type: ignore[no-untyped-call]
        return opened
    try:
        opened = Image.open(BytesIO(image), formats=[image_format])
    except Image.DecompressionBombError:
        raise ImageRejectedError(
            "ImageSizeTooLarge", f"the {image_format} has more pixels than can be read"
        ) from None
    if image_format not in ("PNG", "JPEG"):
        _refuse_pages(opened, image_format)
    return opened


def _refuse_pages(opened: Image.Image, image_format: str) -> None:
    try:
        opened.seek(1)
    except EOFError:
        opened.seek(0)
        return
    opened.close()
    raise _has_pages(image_format, "more than one picture")


def _render_pdf(image: bytes) -> Image.Image:
    import pypdfium2

    with _PDFIUM:
        try:
            document = pypdfium2.PdfDocument(image)
        except pypdfium2.PdfiumError as error:
            if getattr(error, "err_code", None) != _PDF_WRONG_PASSWORD:
                raise
            raise ImageRejectedError("ImageEncrypted", "the PDF asks for a password") from None
        try:
            if len(document) != 1:
                raise _has_pages("PDF", f"{len(document):,} pages")
            page = document[0]
            longer_side = max(page.get_size())
            scale = min(_PDF_DPI / _PDF_POINTS_PER_INCH, _PDF_MAX_SIDE / longer_side)
            picture: Image.Image = page.render(scale=scale).to_pil().convert("RGB")
            return picture.copy()  # its memory belongs to the document
        finally:
            document.close()


def _has_pages(image_format: str, found: str) -> ImageRejectedError:
    return ImageRejectedError(
        "ImageHasPages", f"the {image_format} holds {found}; list each picture as a file of its own"
    )


def _flat(picture: Image.Image) -> Image.Image:
    """Return a picture of mode 1, L or RGB, on white where it is transparent."""
    if picture.mode.startswith(_DEEP_MODES):
        return _stretched(picture)
    if "A" in picture.getbands() or "a" in picture.getbands() or "transparency" in picture.info:
        layer = picture if picture.mode == "RGBA" else picture.convert("RGBA")
        white = Image.new("RGB", layer.size, "white")
        white.paste(layer, mask=layer.getchannel("A"))
        return white
    return picture if picture.mode in ("1", "L", "RGB") else picture.convert("RGB")


def _stretched(picture: Image.Image) -> Image.Image:
    measured = picture.convert("F")
    low, high = measured.getextrema()
    assert isinstance(low, float)
    assert isinstance(high, float)
    scale = 255 / (high - low) if high > low else 1.0
    return measured.point(lambda value: value * scale - low * scale).convert("L")
