"""Mutated files through every reader: of the worker, and of the processes that decode for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

import pillow_heif
from PIL import Image, ImageDraw

from airflow_provider_permitocr.engine.models import ImageRow, UnfitImage
from airflow_provider_permitocr.images.conversion.convert import ImageConverter
from airflow_provider_permitocr.images.file import read_file
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder
from airflow_provider_permitocr.images.roots import ImageRoots
from labs.fuzz.figures import Figures
from labs.fuzz.mutations import mutated

#: So few that the larger files have to be shrunk.
_MOST_BASE64: Final = 60_000
_SIZE: Final = (320, 200)
#: Of what was done to a file; they differ for each.
_SIZES: Final = re.compile(r"shrunk from .*")


def corpus() -> dict[str, bytes]:
    """Return small files of every format that is read, by name."""
    pillow_heif.register_heif_opener()
    picture = Image.effect_noise(_SIZE, 40).convert("RGB")
    ImageDraw.Draw(picture).rectangle((20, 20, 120, 90), fill="red")
    files: dict[str, bytes] = {}

    def add(name: str, image_format: str, mode: str = "RGB", **options: object) -> None:
        file = BytesIO()
        picture.convert(mode).save(file, image_format, **options)
        files[name] = file.getvalue()

    exif = Image.Exif()
    exif[0x0112] = 6
    for image_format in ("JPEG", "PNG", "HEIF", "AVIF", "WEBP", "TIFF", "BMP", "GIF", "PDF"):
        add(image_format, image_format)
    add("JPEG progressive", "JPEG", progressive=True, exif=exif)
    add("JPEG CMYK", "JPEG", "CMYK")
    add("PNG palette", "PNG", "P", transparency=0)
    add("PNG alpha", "PNG", "RGBA", exif=exif, icc_profile=bytes(300))
    add("WEBP alpha", "WEBP", "RGBA", lossless=True)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "group4", "packbits"):
        add(f"TIFF {compression}", "TIFF", "1" if compression == "group4" else "RGB", compression=compression)
    add("GIF animated", "GIF", "P", save_all=True, append_images=[picture.rotate(90)])
    add("PNG animated", "PNG", save_all=True, append_images=[picture.rotate(90)])
    return files


def fuzz(number: int, *, seed: str = "images", converts: bool = True) -> Figures:
    """Read mutated files, both stored ones and from the list itself.

    :param converts: as with the extra ``images``; otherwise only formats that the package itself reads.
    """
    drawing = Random(seed)  # noqa: S311
    files = corpus()
    contents = tuple(files.values())
    figures = Figures()
    with TemporaryDirectory() as folder, figures.measured(), _builder(converts=converts) as builder:
        path = Path(folder, "image")
        for index, name in enumerate(drawing.choices(list(files), k=number)):
            content = mutated(files[name], drawing, contents)
            path.write_bytes(content)
            figures.add(f"{name} {index}", partial(_end, builder, content if index % 2 else str(path)))
    return figures


def read(folder: Path) -> Figures:
    """Read all files of a folder."""
    figures = Figures()
    with figures.measured(), _builder() as builder:
        for path in sorted(folder.iterdir()):
            figures.add(path.name, partial(_end, builder, str(path)))
    return figures


@contextmanager
def _builder(*, converts: bool = True) -> Iterator[PermitRequestBuilder]:
    with closing(ImageConverter()) as converter:
        yield PermitRequestBuilder(
            max_base64_bytes=_MOST_BASE64,
            read_stored=partial(read_file, roots=ImageRoots(["/"])),
            convert=converter.convert if converts else None,
            shrink=converter.shrink if converts else None,
        )


def _end(builder: PermitRequestBuilder, image: bytes | str) -> str:
    found = builder.build(ImageRow("k", image))
    if isinstance(found, UnfitImage):
        return found.code
    return _SIZES.sub("shrunk", found.facts.prepared or "sent as it is")
