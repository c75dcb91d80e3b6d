"""Compare what came out of the run with what was drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_permitocr.core.api import BACK_FIELD
from airflow_provider_permitocr.core.columns import BACK_TEXT_COLUMNS, FRONT_TEXT_COLUMNS
from demo.image_list import DrawnImage


@dataclass(frozen=True)
class Difference:
    """A field that was read otherwise than it was drawn; ``''`` is absent."""

    image_id: str
    column: str
    drawn: str
    read: str


@dataclass(frozen=True)
class Accuracy:
    """How many of the fields that an image shows, or that were read from it, are equal."""

    images: int
    fields: int
    differences: tuple[Difference, ...]

    @property
    def percent(self) -> float:
        """Fields that are equal, in percent."""
        return 100 * (1 - len(self.differences) / self.fields) if self.fields else 0.0


def compare(drawn: Iterable[DrawnImage], results: Iterable[Mapping[str, Any]], kind: str) -> Accuracy:
    """Compare the images of one kind with the result table; a missing row differs in every field.

    :param kind: ``clean`` or ``effect``.
    """
    rows = {(row["image_key"], row["card_side"]): row for row in results}
    images, fields, differences = 0, 0, list[Difference]()
    for image in drawn:
        if image.kind != kind or image.fields is None:
            continue
        images += 1
        row = rows.get((image.image_id, image.card_side), {})
        for column, truth in _drawn_columns(image.fields):
            read = row.get(column) or ""
            fields += bool(truth or read)
            if truth != read:
                differences.append(Difference(image.image_id, column, truth, read))
    return Accuracy(images, fields, tuple(differences))


def _drawn_columns(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for column, field in FRONT_TEXT_COLUMNS.items():
        yield column, fields[field]
    for column, field in BACK_TEXT_COLUMNS.items():
        yield column, fields[BACK_FIELD][field]
