"""The image lists of the proof's DAGs: files with labels, and what is right for each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from labs.ground.image_list import DrawnImage


@dataclass(frozen=True)
class ImageList:
    """The list of one DAG.

    :param dag_id: the DAG that recognizes it.
    :param images: what is listed, with the answers that are right.
    :param keys: keys of the images by the SHA-256 of their files, as the emulator's journal names them.
    """

    dag_id: str
    images: tuple[DrawnImage, ...]
    keys: dict[str, str]


def draw_lists(counts: dict[str, int], directory: Path) -> list[ImageList]:
    """Write the image files of all lists: no two of the same content.

    :param counts: how many images each DAG gets.
    """
    from airflow_provider_permitocr.emulator.specimens import Specimen, draw_stand_ins

    directory.mkdir(parents=True)
    specimens = draw_stand_ins(sum(counts.values()))

    def images(dag_id: str, count: int) -> Iterable[tuple[DrawnImage, Specimen]]:
        # In this order: asking zip for a specimen too many would take it from the next list.
        for number, specimen in zip(range(count), specimens, strict=False):
            image_id = f"{dag_id}-{number:06d}"
            yield (
                DrawnImage(image_id, f"{image_id}.jpg", str(specimen.side), "clean", specimen.fields),
                specimen,
            )

    lists = []
    for dag_id, count in counts.items():
        drawn, keys = list[DrawnImage](), dict[str, str]()
        for image, specimen in images(dag_id, count):
            (directory / image.file).write_bytes(specimen.image)
            keys[hashlib.sha256(specimen.image).hexdigest()] = image.image_id
            drawn.append(image)
        lists.append(ImageList(dag_id, tuple(drawn), keys))
    return lists
