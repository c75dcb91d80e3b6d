"""Foreign files to upright pictures on white, one page each. Needs the extra ``images``.

Called only in the process of ``reader.py``: files can make decoders take all the memory that there is.
"""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from itertools import count
from typing import Final

from PIL import Image, ImageFile, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from airflow_provider_permitocr.errors import ImageRejectedError
from airflow_provider_permitocr.images.formats.inspection import check_dimensions
from airflow_provider_permitocr.images.formats.png_structure import without_faulty_chunks

#: Most pixels of a picture in memory, four bytes each in Pillow: 256 MB. The largest cameras of phones in
#: common use make 50 million; a JPEG may have more, as it can be decoded at a half of its size.
MAX_DECODED_PIXELS: Final = 64_000_000
#: From here on a JPEG is: turning it upright takes as much memory again.
_MAX_WHOLE_JPEG_PIXELS: Final = 32_000_000
#: A card is 85 mm wide, so at this density it has 1,000 pixels, which is enough to read it.
_PDF_DPI: Final = 300
#: Limit for pages that are as large as posters, or claim to be.
_PDF_MAX_SIDE: Final = 4000
_PDF_POINTS_PER_INCH: Final = 72
_PDF_WRONG_PASSWORD: Final = 4
#: TIFF 6.0, NewSubfileType: bits of a smaller copy of another page, and of a mask for one.
_NEW_SUBFILE_TYPE: Final = 254
_NO_PAGE: Final = 0b101
#: TIFF 5.0's SubfileType for a smaller copy.
_SUBFILE_TYPE: Final = 255
_SMALLER: Final = 2
#: Tags with their offsets and lengths.
_STRIPS_AND_TILES: Final = ((273, 279), (324, 325))
#: More bits to a pixel than 8, or measured values: their range is stretched to the displayable one.
_DEEP_MODES: Final = ("I", "F")


def decode(image: bytes, image_format: str) -> Image.Image:
    """Decode a file that holds one picture, upright, without alpha and metadata.

    :param image_format: as ``images/formats/inspection.py`` names it; no other decoder is tried.
    :return: of mode 1, L or RGB.
    :raises ImageRejectedError: ImageHasPages, ImageEncrypted or ImageSizeTooLarge. For a damaged file, the
        decoder's own error is raised.
    """
    if image_format == "PDF":
        picture = _render_pdf(image)
    elif image_format in ("HEIC", "HEIF"):
        picture = _flat(_decode_heif(image))
    else:
        picture = _flat(_decode(image, image_format))
    # Saving would include these: comments, a color profile, transparency.
    picture.info = {}
    return picture


def check_whole(jpeg: bytes) -> None:
    """Decode a JPEG to check that no pixels are missing; at an eighth of its size, to be fast.

    :raises OSError: if pixels are missing.
    """
    with Image.open(BytesIO(jpeg), formats=["JPEG"]) as opened:
        opened.draft("L", (1, 1))
        opened.load()


def _decode(image: bytes, image_format: str) -> Image.Image:
    if image_format == "PNG":
        image = without_faulty_chunks(image)
    with _open(image, image_format) as opened:
        if opened.width * opened.height > _MAX_WHOLE_JPEG_PIXELS:
            opened.draft(None, (opened.width // 2, opened.height // 2))
        check_dimensions(opened.width, opened.height, MAX_DECODED_PIXELS)
        if image_format not in ("PNG", "JPEG"):
            _seek_page(opened, image_format)
            check_dimensions(opened.width, opened.height, MAX_DECODED_PIXELS)
        try:
            opened.load()
        except OSError:
            if isinstance(opened, TiffImageFile) and _lacks_strips(opened, len(image)):
                raise ImageRejectedError(
                    "ImageTruncated", f"the TIFF is truncated: its {len(image):,} bytes lack its end"
                ) from None
            raise
        ImageOps.exif_transpose(opened, in_place=True)
    return opened


def _open(image: bytes, image_format: str) -> ImageFile.ImageFile:
    try:
        return Image.open(BytesIO(image), formats=[image_format])
    except Image.DecompressionBombError:
        raise ImageRejectedError(
            "ImageSizeTooLarge", f"the {image_format} has more pixels than can be read"
        ) from None


def _decode_heif(image: bytes) -> Image.Image:
    """Decode the picture that the file is of, which the decoder turns upright."""
    import pi_heif

    # More would each take additional memory.
    pi_heif.options.DECODE_THREADS = 1
    opened = pi_heif.open_heif(image)
    check_dimensions(opened.size[0], opened.size[1], MAX_DECODED_PIXELS)
    # Pillow's plugin would keep the pixels twice.
    picture: Image.Image = opened.to_pillow()
    return picture


def _seek_page(opened: Image.Image, image_format: str) -> None:
    """Go to the one page that the file has.

    :raises ImageRejectedError: ImageHasPages.
    """
    pages: list[int] = []
    with suppress(EOFError):
        for number in count():
            opened.seek(number)
            if not isinstance(opened, TiffImageFile) or _is_page(opened):
                pages.append(number)
            if len(pages) > 1:
                raise _has_pages(image_format, "more than one picture")
    opened.seek(pages[0] if pages else 0)


def _is_page(opened: TiffImageFile) -> bool:
    tags = opened.tag_v2
    return not tags.get(_NEW_SUBFILE_TYPE, 0) & _NO_PAGE and tags.get(_SUBFILE_TYPE) != _SMALLER


def _lacks_strips(opened: TiffImageFile, size: int) -> bool:
    """Return whether the page's pixels, in strips or tiles, lie beyond the file's end."""
    tags = opened.tag_v2
    return any(
        offset + length > size
        for offsets, lengths in _STRIPS_AND_TILES
        for offset, length in zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=False)
    )


def _render_pdf(image: bytes) -> Image.Image:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(image)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) != _PDF_WRONG_PASSWORD:
            raise
        raise ImageRejectedError("ImageEncrypted", "the PDF is protected by a password") from None
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
        "ImageHasPages", f"the {image_format} holds {found}; list each picture as a separate file"
    )


def _flat(picture: Image.Image) -> Image.Image:
    """Return a picture of mode 1, L or RGB, with transparent pixels on white."""
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
