"""Image files for the benchmark, with what is right for each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Seed of the first person; the external caller's image shows another one.
_SEED: Final = 1986
_STRANGERS_SEED: Final = 1


@dataclass(frozen=True)
class BenchImage:
    """An image file.

    :param number: the document's number that is right, from the side that it shows.
    :param digest: SHA-256 of the file, as the journal names it.
    """

    image_id: str
    file: Path
    card_side: str
    number: str
    digest: str


def draw_images(count: int, directory: Path) -> list[BenchImage]:
    """Write small images, no two of them alike.

    :param directory: made if missing.
    """
    from airflow_provider_permitocr.emulator.specimens import draw_stand_ins
    from airflow_provider_permitocr.permit.api import BACK_FIELD

    directory.mkdir(parents=True, exist_ok=True)
    images = []
    for number, specimen in enumerate(draw_stand_ins(count, seed=_SEED)):
        image_id = f"permit-{number:06d}"
        file = directory / f"{image_id}.jpg"
        file.write_bytes(specimen.image)
        right = specimen.fields["Number"] or specimen.fields[BACK_FIELD]["IDNumber"]
        digest = hashlib.sha256(specimen.image).hexdigest()
        images.append(BenchImage(image_id, file, str(specimen.side), right, digest))
    return images


def draw_strangers_image(directory: Path) -> Path:
    """Write the image that somebody else sends; returns its file."""
    from airflow_provider_permitocr.emulator.specimens import draw_stand_ins

    file = directory / "stranger.jpg"
    file.write_bytes(next(draw_stand_ins(1, seed=_STRANGERS_SEED)).image)
    return file


def draw_large_images(count: int, size: int, directory: Path) -> list[Path]:
    """Write images of a given size; returns their files.

    :param size: in bytes, at least.
    :param directory: made if missing.
    """
    from airflow_provider_permitocr.emulator.specimens import draw_stand_ins

    directory.mkdir(parents=True, exist_ok=True)
    files = []
    fronts = (each for each in draw_stand_ins(2 * count, min_bytes=size) if each.side == "FRONT")
    for number, specimen in zip(range(count), fronts, strict=False):
        file = directory / f"{size}-{number:03d}.jpg"
        file.write_bytes(specimen.image)
        files.append(file)
    return files


def large_list(files: list[Path], count: int) -> list[BenchImage]:
    """List files repeatedly under different keys."""
    from airflow_provider_permitocr.emulator.specimens.label import read_label

    known = []
    for file in files:
        content = file.read_bytes()
        label = read_label(content)
        assert label is not None
        known.append((file, str(label.side), label.fields["Number"], hashlib.sha256(content).hexdigest()))
    rows = (known[number % len(known)] for number in range(count))
    return [BenchImage(f"large-{number:06d}", *row) for number, row in enumerate(rows)]
