from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pillow_heif
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageStat, TiffImagePlugin

from airflow_provider_permitocr.emulator.images import check_image
from airflow_provider_permitocr.errors import ConfigurationError, ImageError, ImageRejectedError
from airflow_provider_permitocr.images.conversion.convert import ImageConverter, find_converter
from airflow_provider_permitocr.images.formats.inspection import InspectedImage, inspect_image

pillow_heif.register_heif_opener()

SIZE = (1200, 800)
ROOM = 5_500_000
FORMATS = ("HEIF", "AVIF", "WEBP", "TIFF", "BMP", "GIF", "PDF")


def scene(size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture with a red upper left and a blue lower right, so that each way of lying shows."""
    picture = Image.new("RGB", size, "white")
    drawing = ImageDraw.Draw(picture)
    width, height = size
    drawing.rectangle((0, 0, width // 3, height // 3), fill="red")
    drawing.rectangle((width * 2 // 3, height * 2 // 3, width, height), fill="blue")
    return picture


def saved(picture: Image.Image, image_format: str, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, image_format, **options)
    return file.getvalue()


def noisy(size: tuple[int, int]) -> Image.Image:
    width, height = size
    return Image.frombytes("RGB", size, random.Random("noise").randbytes(3 * width * height))


@cache
def converter() -> ImageConverter:
    """One for all tests, as its processes take a while to start."""
    return ImageConverter()


def converted(image: bytes, max_bytes: int = ROOM) -> tuple[bytes, str]:
    return converter().convert(image, inspect_image(image), max_bytes)


def shrunk(image: bytes, max_bytes: int) -> tuple[bytes, str]:
    return converter().shrink(image, inspect_image(image), max_bytes)


def encrypted_pdf() -> bytes:
    """A PDF that no password opens: what it should be compared with is made up."""
    secret = b"<" + b"5a" * 32 + b">"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]>>",
        b"<</Filter/Standard/V 1/R 2/P -4/O" + secret + b"/U" + secret + b">>",
    ]
    pdf, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(pdf))
        pdf += b"%d 0 obj%bendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"<</Size 5/Root 1 0 R/Encrypt 4 0 R/ID[<00><00>]>>"
    return pdf + b"xref\n0 5\n0000000000 65535 f \n%btrailer%bstartxref\n%d\n%%%%EOF" % (
        table,
        trailer,
        len(pdf),
    )


def refusal(convert: Callable[..., object], *arguments: Any) -> ImageError:
    with pytest.raises(ImageError) as caught:
        convert(*arguments)
    return caught.value


def opened(image: bytes) -> Image.Image:
    check_image(image, "intl")
    return Image.open(BytesIO(image))


def looks_like(image: bytes, expected: Image.Image, tolerance: float = 6.0) -> bool:
    picture = opened(image).convert("RGB")
    return picture.size == expected.size and (
        max(ImageStat.Stat(ImageChops.difference(picture, expected)).mean) < tolerance
    )


@pytest.mark.parametrize("image_format", FORMATS)
def test_a_foreign_format_becomes_one_that_the_api_reads(image_format: str) -> None:
    options = {"resolution": 300} if image_format == "PDF" else {}
    image = saved(scene(), image_format, **options)
    out, note = converted(image)
    assert looks_like(out, scene())
    assert note == f"converted from {inspect_image(image).image_format}"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_kind_of_pixels_is_converted(mode: str) -> None:
    deep = mode.startswith(("I", "F"))
    source = scene().convert("L").convert(mode) if deep else scene().convert(mode)
    expected = scene().convert("L" if deep or mode in ("1", "L", "LA") else "RGB").convert("RGB")
    out, _ = converted(saved(source, "TIFF"))
    # Dithering and stretching change shades; a picture that comes out black, white or turned differs by 60.
    assert looks_like(out, expected, tolerance=30)


def test_sixteen_bits_keep_their_shades() -> None:
    ramp = Image.new("I;16", (1024, 16))
    ramp.putdata([x * 64 for _ in range(16) for x in range(1024)])
    out, _ = converted(saved(ramp, "TIFF"))
    row = opened(out).convert("L")
    assert [row.getpixel((x, 8)) for x in (0, 1023)] == pytest.approx([0, 255], abs=4)
    assert row.getpixel((512, 8)) == pytest.approx(128, abs=6)


def test_what_is_transparent_becomes_white() -> None:
    picture = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    ImageDraw.Draw(picture).rectangle((0, 0, 400, 400), fill=(255, 0, 0, 255))
    out, _ = converted(saved(picture, "WEBP", lossless=True))
    white = opened(out).convert("RGB").getpixel((1000, 700))
    assert white == (255, 255, 255)


def test_black_on_white_becomes_a_png_without_loss() -> None:
    text = scene().convert("1")
    out, _ = converted(saved(text, "TIFF", compression="group4"))
    assert (opened(out).format, opened(out).tobytes()) == ("PNG", text.tobytes())


@pytest.mark.parametrize("image_format", ["WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize(
    ("orientation", "turn"),
    [(6, Image.Transpose.ROTATE_90), (3, Image.Transpose.ROTATE_180), (8, Image.Transpose.ROTATE_270)],
)
def test_a_picture_comes_out_upright(image_format: str, orientation: int, turn: Image.Transpose) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    out, _ = converted(saved(scene().transpose(turn), image_format, exif=exif))
    assert looks_like(out, scene())


def with_location() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = "taken by a secret person"
    exif.get_ifd(0x8825)[2] = (22.0, 16.0, 42.0)
    return exif


@pytest.mark.parametrize("image_format", ["HEIF", "AVIF", "WEBP", "TIFF"])
def test_nothing_says_any_more_where_and_by_whom_it_was_taken(image_format: str) -> None:
    image = saved(scene(), image_format, exif=with_location())
    assert b"a secret person" in image
    out, _ = converted(image)
    assert b"secret" not in out
    assert b"Exif" not in out


def test_comments_and_profiles_are_dropped_when_shrinking() -> None:
    image = saved(
        noisy(SIZE), "JPEG", quality=98, comment=b"secret", exif=with_location(), icc_profile=b"x" * 99
    )
    out, _ = shrunk(image, len(image) - 1)
    assert not any(part in out for part in (b"secret", b"Exif", b"ICC_PROFILE"))


@pytest.mark.parametrize("image_format", ["TIFF", "PDF", "GIF", "WEBP", "AVIF"])
def test_more_than_one_picture_is_rejected(image_format: str) -> None:
    image = saved(scene(), image_format, save_all=True, append_images=[scene().rotate(180)])
    error = refusal(converted, image)
    assert isinstance(error, ImageRejectedError)
    assert error.code == "ImageHasPages"


@pytest.mark.slow
def test_a_heic_with_further_images_is_the_one_that_it_says_it_is() -> None:
    heic = pillow_heif.from_pillow(noisy((64, 48)))
    heic.add_from_pillow(scene())
    file = BytesIO()
    heic.save(file, primary_index=1)
    out, _ = converted(file.getvalue())
    assert looks_like(out, scene())


@pytest.mark.parametrize("kind", [{254: 1}, {254: 4}, {255: 2}], ids=["thumbnail", "mask", "old thumbnail"])
@pytest.mark.parametrize("comes_first", [True, False])
def test_a_tiff_with_a_thumbnail_is_one_picture(kind: dict[int, int], comes_first: bool) -> None:
    small, whole = scene((60, 40)), scene()
    pages = [(small, kind), (whole, {})]
    file = BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(file, new=True) as writer:
        for picture, tags in pages if comes_first else reversed(pages):
            picture.save(writer, "TIFF", tiffinfo=tags)
            writer.newFrame()
    out, _ = converted(file.getvalue())
    assert looks_like(out, scene())


@pytest.mark.slow
@pytest.mark.parametrize("kind", [b"iCCP", b"eXIf", b"pHYs"])
def test_a_png_with_a_damaged_comment_is_shrunk(kind: bytes) -> None:
    image = saved(noisy(SIZE), "PNG", icc_profile=bytes(200), exif=with_location(), dpi=(300, 300))
    end = image.index(kind) + 4 + int.from_bytes(image[image.index(kind) - 4 : image.index(kind)])
    damaged = image[:end] + bytes([image[end] ^ 1]) + image[end + 1 :]
    check_image(damaged, "intl")
    assert shrunk(damaged, 900_000)[0] == shrunk(saved(noisy(SIZE), "PNG"), 900_000)[0]


@pytest.mark.parametrize("image_format", FORMATS)
@pytest.mark.parametrize("kept", [0.5, 0.95])
def test_a_file_that_is_still_being_written_is_told_from_a_damaged_one(
    image_format: str, kept: float
) -> None:
    image = saved(noisy((240, 160)), image_format)
    assert refusal(converted, image[: int(len(image) * kept)]).code == "ImageTruncated"


def test_a_pdf_that_asks_for_a_password_is_rejected() -> None:
    error = refusal(converted, encrypted_pdf())
    assert (error.code, error.message) == ("ImageEncrypted", "the PDF is protected by a password")


def test_a_page_as_large_as_a_poster_is_held_to_what_reading_needs() -> None:
    document = pypdfium2.PdfDocument.new()
    document.new_page(14_400, 7_200)
    file = BytesIO()
    document.save(file)
    out, _ = converted(file.getvalue())
    assert opened(out).size == (4000, 2000)


@pytest.mark.slow
def test_pdfs_from_many_threads_do_not_disturb_each_other() -> None:
    pdf = saved(scene(), "PDF", resolution=300)
    outs: list[bytes] = []

    def convert() -> None:
        outs.append(converter().convert(pdf, inspect_image(pdf), ROOM)[0])

    threads = [threading.Thread(target=convert) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outs) == 8
    assert set(outs) == {converted(pdf)[0]}


@pytest.mark.slow
def test_an_oversized_image_loses_quality_before_pixels() -> None:
    size = (1600, 1100)
    image = saved(noisy(size), "JPEG", quality=98, subsampling=0)
    limits = [int(len(image) * share) for share in (0.99, 0.6, 0.2, 0.12)]
    outs = [shrunk(image, limit)[0] for limit in limits]
    assert all(len(out) <= limit for out, limit in zip(outs, limits, strict=True))
    sizes = [opened(out).size for out in outs]
    assert sizes[0] == sizes[1] == size
    assert size[0] > sizes[2][0] > sizes[3][0] >= 1000


@pytest.mark.slow
@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_what_was_done_is_said_in_numbers(image_format: str) -> None:
    image = saved(noisy((2400, 1600)), image_format)
    out, note = shrunk(image, 400_000)
    width, height = opened(out).size
    assert note == f"shrunk from 2400x1600, {len(image):,} bytes, to {width}x{height}, {len(out):,} bytes"
    assert 1000 <= width < 2400


@pytest.mark.slow
def test_conversion_says_when_it_had_to_shrink_as_well() -> None:
    out, note = converted(saved(noisy((2400, 1600)), "BMP"), 400_000)
    width, height = opened(out).size
    assert note == f"converted from BMP, shrunk from 2400x1600 to {width}x{height}"


def test_an_oversized_picture_that_lies_on_its_side_comes_out_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = scene().transpose(Image.Transpose.ROTATE_90)
    out, _ = shrunk(saved(lying, "JPEG", quality=100, exif=exif), ROOM)
    assert looks_like(out, scene())


def test_rather_than_illegible_it_is_rejected() -> None:
    error = refusal(shrunk, saved(noisy(SIZE), "JPEG"), 20_000)
    assert (error.code, error.message) == (
        "ImageTooLarge",
        "the image has over 20,000 bytes even with a longer side of 1,000 pixels",
    )


@pytest.mark.slow
def test_a_jpeg_of_more_pixels_than_fit_into_memory_is_decoded_at_half_its_size() -> None:
    image = saved(Image.new("L", (12_000, 8_000), "grey"), "JPEG")
    out, note = shrunk(image, len(image) - 1)
    assert opened(out).size == (6000, 4000)
    assert note.startswith("shrunk from 12000x8000, ")


@pytest.mark.parametrize("image_format", ["PNG", "BMP", "TIFF"])
def test_others_of_so_many_pixels_are_rejected_before_they_are_decoded(image_format: str) -> None:
    image = saved(Image.new("1", (9_000, 8_000)), image_format)
    convert = shrunk if image_format == "PNG" else converted
    error = refusal(convert, image, ROOM)
    assert error.code == "ImageSizeTooLarge"
    assert "9,000 x 8,000" in error.message


def test_a_jpeg_that_lacks_only_its_end_is_completed_and_else_untouched() -> None:
    image = saved(noisy((64, 64)).convert("L"), "JPEG", quality=100)
    check_image(image[:-2], "intl")
    assert converted(image[:-2]) == (image, "end marker added")


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.99])
def test_a_jpeg_that_lacks_pixels_is_rejected(kept: float) -> None:
    image = saved(noisy(SIZE), "JPEG")
    cut = image[: int(len(image) * kept)]
    assert refusal(converted, cut).code == "ImageTruncated"
    assert refusal(shrunk, cut, len(cut) - 1).code == "ImageTruncated"


def test_a_completed_jpeg_must_fit_as_well() -> None:
    cut = saved(noisy((64, 64)).convert("L"), "JPEG", quality=100)[:-2]
    assert refusal(converted, cut, len(cut)).code == "ImageTooLarge"


@pytest.mark.slow
@given(
    st.sampled_from(["PNG", "JPEG", "HEIC", "HEIF", "AVIF", "WEBP", "TIFF", "BMP", "GIF", "PDF"]),
    st.binary(max_size=400),
)
@settings(max_examples=200, deadline=None)
def test_noise_is_refused_and_never_anything_else(image_format: str, noise: bytes) -> None:
    inspected = InspectedImage(image_format, 8, 8)
    for convert in (converter().convert, converter().shrink):
        with suppress(ImageRejectedError):
            convert(noise, inspected, ROOM)


@pytest.mark.parametrize("image_format", [*FORMATS, "JPEG", "PNG"])
def test_a_damaged_file_is_refused_or_converted_and_nothing_else(image_format: str) -> None:
    drawing = random.Random(f"damage {image_format}")
    image = saved(scene((120, 80)), image_format)
    inspected = inspect_image(image)
    for _ in range(60):
        damaged = bytearray(image[: drawing.choice([len(image), drawing.randrange(len(image))])])
        for _ in range(drawing.randrange(4)):
            if damaged:
                damaged[drawing.randrange(len(damaged))] = drawing.randrange(256)
        with suppress(ImageRejectedError):
            check_image(converter().shrink(bytes(damaged), inspected, ROOM)[0], "intl")


@pytest.mark.slow
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for missing, image_format in (("pi_heif", "HEIF"), ("pypdfium2", "PDF")):
        (tmp_path / f"{missing}.py").write_text(f"raise ModuleNotFoundError(name={missing!r})")
        monkeypatch.syspath_prepend(tmp_path)
        image = saved(scene((60, 40)), image_format)
        error = refusal(ImageConverter().convert, image, inspect_image(image), ROOM)
        assert error.code == "ImageFormatUnsupported"
        assert missing in error.message
        assert "pip install pillow pi-heif pypdfium2" in error.message


def test_without_pillow_there_is_no_converter_and_shrinking_is_a_mistake_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert find_converter() is None
    with pytest.raises(ConfigurationError, match="pip install pillow pi-heif pypdfium2"):
        find_converter(required=True)


@pytest.mark.slow
def test_finding_the_converter_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from airflow_provider_permitocr.images.conversion.convert import find_converter\n"
        "assert find_converter()\n"
        "print(*{'PIL.Image', 'pi_heif', 'pypdfium2'} & set(sys.modules))\n"
    )
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == ""
