"""Two hundred images as a real data team has them: of every kind of source, and twenty that are bad."""

from __future__ import annotations

import base64
import io
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import pillow_heif
from PIL import Image

from airflow_provider_permitocr.emulator.specimens import (
    PermitKind,
    Specimen,
    draw_scenery,
    draw_specimen,
)

#: Base64 has to be over the international site's 7 MB.
_OVERSIZED: Final = 5_700_000
_DISTINCT: Final = 30
_REFERENCES: Final = 106
_BLOBS: Final = 40
_DOWNLOADS: Final = 28
#: Formats that the API does not read.
_FOREIGN: Final = ("HEIF", "WEBP", "TIFF", "BMP", "PDF")

#: Puts an image somewhere and returns what leads to it.
Put = Callable[[bytes], str]


@dataclass
class MixedImages:
    """What goes into the lists, by key, and what should come out.

    :param references: text: URLs, paths, objects, base64.
    :param blobs: bytes, with whole numbers as keys.
    :param downloads: URLs that the worker downloads itself, with UUIDs as keys.
    :param numbers: the document number to be recognized, by key as text; the others are bad.
    :param codes: the error code that a bad image ends with, by key as text.
    """

    references: dict[str, str | None] = field(default_factory=dict)
    blobs: dict[int, bytes] = field(default_factory=dict)
    downloads: dict[uuid.UUID, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.references) + len(self.blobs) + len(self.downloads)


def mix_images(directory: Path, *, by_url: Put, in_stores: list[Put]) -> MixedImages:
    """Draw the images, put them where they belong, and list them.

    :param directory: for those that are files.
    :param by_url: puts an image on an HTTP server.
    :param in_stores: each puts an object into an object store.
    """
    mixed = MixedImages()
    permits = [draw_specimen(PermitKind.TAIWAN, seed=seed, width=480) for seed in range(_DISTINCT)]
    file = _file_writer(directory)
    kinds: list[Put] = [
        by_url,
        file,
        lambda image: Path(file(image)).as_uri(),
        lambda image: base64.b64encode(image).decode(),
        lambda image: base64.encodebytes(image).decode(),
        lambda image: f"data:image/png;base64,{base64.b64encode(image).decode()}",
        *in_stores,
    ]
    places = zip(cycle(kinds), cycle(permits), strict=False)
    for number, (put, permit) in enumerate(islice(places, _REFERENCES)):
        key = f"引用-{number:03}"
        mixed.references[key] = put(permit.image)
        mixed.numbers[key] = _number(permit)
    for number, permit in enumerate(islice(cycle(permits), _BLOBS)):
        mixed.blobs[number] = permit.image
        mixed.numbers[str(number)] = _number(permit)
    for number, permit in enumerate(islice(cycle(permits), _DOWNLOADS)):
        key_of_download = uuid.UUID(int=number)
        mixed.downloads[key_of_download] = by_url(permit.image)
        mixed.numbers[str(key_of_download)] = _number(permit)
    _add_images_to_be_made_fit(mixed)
    _add_bad_images(mixed, directory, file, by_url)
    return mixed


def _add_images_to_be_made_fit(mixed: MixedImages) -> None:
    for number, image_format in enumerate(_FOREIGN, start=1000):
        permit = draw_specimen(PermitKind.HONG_KONG_MACAO, seed=number)
        mixed.blobs[number] = _encoded(permit.image, image_format)
        mixed.numbers[str(number)] = _number(permit)
    oversized = draw_specimen(PermitKind.HONG_KONG_MACAO, seed=7, min_bytes=_OVERSIZED)
    mixed.blobs[2000] = oversized.image
    mixed.numbers["2000"] = _number(oversized)


def _add_bad_images(mixed: MixedImages, directory: Path, file: Put, by_url: Put) -> None:
    permit = draw_specimen(PermitKind.TAIWAN, seed=0, width=480).image
    found = by_url(permit)
    bad_references: dict[str, str | None] = {
        "ImageMissing": None,
        "ImageMissing ": "",
        "ImageReferenceUnknown": "a name, 李优图",
        "ImageStoreMissing": "gopher://nowhere/permit.png",
        "ImageReferenceUnknown ": "data:image/png;base64,样",
        "ImageNotFound": str(directory / "missing.png"),
        "ImageNotFound ": "s3://scans/missing.png",
        "ImageUnreadable": str(directory),
        "ImageEmpty": file(b""),
        "ImageTruncated": file(permit[: len(permit) // 2]),
        "FailedOperation.ImageNoSpecifiedCard": file(draw_scenery(0)),
        "FailedOperation.DownLoadError": f"{found}-missing",
    }
    for code, reference in bad_references.items():
        key = f"bad-{len(mixed.codes)}"
        mixed.references[key] = reference
        mixed.codes[key] = code.strip()
    bad_blobs = {
        "ImageMissing": b"",
        "ImageWrongContent": b"<html>not found</html>",
        "ImageHasPages": _two_pages(),
        "ImageBroken": b"II*\x00" + bytes(100),
        "ImageTruncated": permit[:-20],
    }
    for number, (code, blob) in enumerate(bad_blobs.items(), start=5000):
        mixed.blobs[number] = blob
        mixed.codes[str(number)] = code
    bad_downloads = {
        "ImageNotFound": f"{found}-missing",
        "ImageHostRefused": "http://127.0.0.2:9/permit.png",
        "ImageHostRefused ": "http://169.254.169.254/latest/meta-data",
    }
    for number, (code, url) in enumerate(bad_downloads.items(), start=9000):
        key_of_download = uuid.UUID(int=number)
        mixed.downloads[key_of_download] = url
        mixed.codes[str(key_of_download)] = code.strip()


def _file_writer(directory: Path) -> Put:
    def numbers() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    names = numbers()

    def write(image: bytes) -> str:
        path = directory / f"通行证 {next(names)}.jpg"
        path.write_bytes(image)
        return str(path)

    return write


def _number(permit: Specimen) -> str:
    return str(permit.fields["Number"])


def _encoded(image: bytes, image_format: str) -> bytes:
    pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(image)) as opened:
        opened.convert("RGB").save(buffer, image_format)
    return buffer.getvalue()


def _two_pages() -> bytes:
    buffer = io.BytesIO()
    page = Image.new("RGB", (300, 200), "white")
    page.save(buffer, "PDF", save_all=True, append_images=[page])
    return buffer.getvalue()


def values_to_compare(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a result row what is another in every run."""
    others = ("request_id", "processed_at", "attempted_at", "version", "run_id")
    return {name: value for name, value in row.items() if name not in others}
