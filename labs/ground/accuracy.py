"""Compare what came out of the run with what was drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_permitocr.permit.api import BACK_FIELD
from airflow_provider_permitocr.permit.columns import BACK_TEXT_COLUMNS, FRONT_TEXT_COLUMNS
from labs.ground.image_list import DrawnImage


@dataclass(frozen=True)
class ComparedField:
    """A field as it was drawn and as it was read; ``''`` is absent."""

    image_id: str
    column: str
    drawn: str
    read: str


@dataclass(frozen=True)
class Accuracy:
    """How many of the fields that images show, or that were read from them, are equal.

    :param images: how many images were compared.
    :param fields: how many fields those have, fields of images without an answer included.
    :param equal: how many of the fields are equal.
    :param differences: the fields that are not, of images with an answer.
    :param unread: keys of the images without an answer.
    """

    images: int
    fields: int
    equal: int
    differences: tuple[ComparedField, ...]
    unread: tuple[str, ...]

    @property
    def percent(self) -> float:
        """Fields that are equal, in percent."""
        return 100 * self.equal / self.fields if self.fields else 0.0


def compare(drawn: Iterable[DrawnImage], results: Iterable[Mapping[str, Any]], kind: str) -> Accuracy:
    """Compare the images of one kind with the result table.

    :param kind: ``clean`` or ``effect``.
    """
    rows = {(row["image_key"], row["card_side"]): row for row in results if row["status"] == "recognized"}
    images, fields, equal = 0, 0, 0
    differences, unread = list[ComparedField](), list[str]()
    for image in drawn:
        if image.kind != kind or image.fields is None:
            continue
        images += 1
        row = rows.get((image.image_id, image.card_side))
        found = [
            ComparedField(image.image_id, column, truth, (row or {}).get(column) or "")
            for column, truth in _drawn_columns(image.fields)
        ]
        fields += sum(bool(field.drawn or field.read) for field in found)
        equal += sum(bool(field.drawn) and field.drawn == field.read for field in found)
        if row is None:
            unread.append(image.image_id)
        else:
            differences += [field for field in found if field.drawn != field.read]
    return Accuracy(images, fields, equal, tuple(differences), tuple(unread))


def _drawn_columns(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for column, field in FRONT_TEXT_COLUMNS.items():
        yield column, fields[field]
    for column, field in BACK_TEXT_COLUMNS.items():
        yield column, fields[BACK_FIELD][field]


def without_reason(drawn: Iterable[DrawnImage], results: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the keys of the bad images whose row is missing or does not report the problem."""
    explained = {row["image_key"] for row in results if row["status"] != "recognized" and row["error_code"]}
    return [image.image_id for image in drawn if image.kind == "bad" and image.image_id not in explained]
