"""Draw the demo's images: permits of every kind and side, and five rows as bad as in real lists.

Run as ``python -m labs.ground.image_list DIRECTORY``, so that drawing has a separate process.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

_FIRST_SEED: Final = 1986
#: In pixels, as differently as people photograph and scan; one per person.
_WIDTHS: Final = (1200, 1000, 1600, 1200, 1400)
_TOO_MANY_BYTES: Final = 5_700_000  # 7.6 MB after base64; the API takes 7
_SHORT_KINDS: Final = {"hong_kong_macao": "hkm", "non_chinese": "nch", "taiwan": "twn", "exit_entry": "eep"}


@dataclass(frozen=True)
class DrawnImage:
    """An image of the list and what is known about it.

    :param image_id: its key; both sides of a document share it.
    :param file: its file's name in the image directory; the file may be missing on purpose.
    :param card_side: the requested side.
    :param kind: ``clean``, ``effect`` (a permit that is harder to read) or ``bad``.
    :param fields: the correct answer, in the API's spelling; ``None`` for a bad image.
    """

    image_id: str
    file: str
    card_side: str
    kind: str
    fields: dict[str, Any] | None


def read_image_list(file: Path) -> list[DrawnImage]:
    """Read the list that :func:`draw_image_list` wrote."""
    return [DrawnImage(**json.loads(line)) for line in file.read_text("utf-8").splitlines()]


def draw_image_list(images: Path, truth_file: Path, people: int = len(_WIDTHS)) -> None:
    """Draw all images, the same ones each time, and write the list with its truth; no effect if done.

    :param images: directory for the image files; made if missing.
    :param truth_file: JSON-lines file for the list, written last and whole.
    :param people: how many permits of each kind to draw, at most five.
    """
    if truth_file.exists():
        return
    images.mkdir(parents=True, exist_ok=True)
    drawn = [*_clean(images, people), *_with_effects(images), *_bad(images)]
    unfinished = truth_file.with_suffix(".new")
    lines = [json.dumps(asdict(image), ensure_ascii=False) + "\n" for image in drawn]
    unfinished.write_text("".join(lines), "utf-8")
    unfinished.rename(truth_file)


def _clean(images: Path, people: int) -> Iterator[DrawnImage]:
    from airflow_provider_permitocr.emulator.specimens import DRAWABLE, draw_specimen
    from airflow_provider_permitocr.permit.api import ImageFormat

    formats = tuple(ImageFormat)
    for person, (number, (kind, side)) in product(range(people), enumerate(DRAWABLE)):
        specimen = draw_specimen(
            kind,
            side,
            _FIRST_SEED + person,
            image_format=formats[(person + number) % len(formats)],
            width=_WIDTHS[person],
        )
        image_id = f"{_SHORT_KINDS[kind]}-{person + 1}"
        file = f"{image_id}-{side.lower()}{Path(specimen.file_name).suffix}"
        (images / file).write_bytes(specimen.image)
        yield DrawnImage(image_id, file, str(side), "clean", specimen.fields)


def _with_effects(images: Path) -> Iterator[DrawnImage]:
    from airflow_provider_permitocr.emulator.specimens import DRAWABLE, Effect, draw_specimen

    for (kind, side), effect in zip(DRAWABLE[-len(Effect) :], Effect, strict=True):
        specimen = draw_specimen(kind, side, _FIRST_SEED + len(_WIDTHS), effects=frozenset({effect}))
        image_id = f"{_SHORT_KINDS[kind]}-{effect}"
        file = f"{image_id}{Path(specimen.file_name).suffix}"
        (images / file).write_bytes(specimen.image)
        yield DrawnImage(image_id, file, str(side), "effect", specimen.fields)


def _bad(images: Path) -> Iterator[DrawnImage]:
    from PIL import Image

    from airflow_provider_permitocr.emulator.specimens import PermitKind, draw_scenery, draw_specimen
    from airflow_provider_permitocr.permit.api import CardSide

    permit = draw_specimen(PermitKind.TAIWAN, seed=_FIRST_SEED).image
    gif = io.BytesIO()
    picture = Image.open(io.BytesIO(permit))
    # One of a single picture would be converted.
    picture.save(gif, "GIF", save_all=True, append_images=[picture.rotate(180)])
    contents = {
        "bad-gif.gif": gif.getvalue(),
        "bad-empty.jpg": b"",
        "bad-too-large.jpg": draw_specimen(
            PermitKind.TAIWAN, seed=_FIRST_SEED, min_bytes=_TOO_MANY_BYTES
        ).image,
        "bad-no-permit.jpg": draw_scenery(_FIRST_SEED),
        "bad-missing.jpg": None,
    }
    for file, content in contents.items():
        if content is not None:
            (images / file).write_bytes(content)
        yield DrawnImage(Path(file).stem, file, str(CardSide.FRONT), "bad", None)


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    draw_image_list(directory / "images", directory / "truth.jsonl")
