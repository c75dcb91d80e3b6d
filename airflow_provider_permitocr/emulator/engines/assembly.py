"""From lines of text to the API's fields: by the title, the printed labels, the layout and the formats.

Two layouts are understood: the value right of its label, or below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from airflow_provider_permitocr.emulator.engines import formats
from airflow_provider_permitocr.emulator.engines.formats import Format
from airflow_provider_permitocr.emulator.engines.lines import Line
from airflow_provider_permitocr.permit.api import CardSide, PermitType

#: What cards print before a field; longer labels first, as some contain others.
_LABELS: Final = {
    "历史通行证号码": "HistoryNumber",
    "身份证件号码": "IDNumber",
    "出生日期": "Birthday",
    "有效期限": "ValidDate",
    "签发机关": "IssueAuthority",
    "签发地点": "IssueAddress",
    "换证次数": "IssueNumber",
    "证件号码": "Number",
    "姓名": "Name",
    "性别": "Sex",
    "国籍": "Nationality",
}
_BACK_LABELS: Final = frozenset({"HistoryNumber", "IDNumber"})
_BACK_FORMATS: Final[dict[str, Format]] = {
    "Name": formats.han_name,
    "IDNumber": formats.id_number,
    "HistoryNumber": formats.history_number,
}
_FRONT_FORMATS: Final[dict[str, Format]] = {
    "Name": formats.han_name,
    "Sex": formats.sex,
    "Birthday": formats.one_date,
    "ValidDate": formats.two_dates,
    "IssueAuthority": formats.authority,
    "IssueAddress": formats.place,
    "IssueNumber": formats.count,
    "Nationality": formats.place,
}
#: Fields that their format alone identifies, in case their label is lost.
_TELLING: Final = frozenset({"Sex", "Birthday", "ValidDate", "Number", "IDNumber"})

_TITLE_LIKENESS: Final = 0.7
_LEAST_LABELS: Final = 2
#: Farthest value, in heights of its label.
_RIGHT_REACH: Final = 7.0
_BELOW_REACH: Final = 1.3
_ALIGNED: Final = 1.0


@dataclass(frozen=True)
class Reading:
    """The text found on a card.

    :param texts: top-level fields that were found.
    :param back: members of ``MainlandTravelPermitBackInfos`` that were found.
    """

    permit_type: PermitType
    side: CardSide
    texts: dict[str, str]
    back: dict[str, str]


@dataclass(frozen=True)
class Piece:
    """A label (of ``field``) or, with ``field`` '', a value."""

    line: Line
    field: str


def read_card(lines: Sequence[Line]) -> Reading | None:
    """Interpret a card's text.

    :return: ``None`` if it is not a permit: no known title, or hardly any label.
    """
    permit_type = _permit_type(line.text for line in lines)
    pieces = [piece for line in lines for piece in split_at_labels(line)]
    labels = [piece.field for piece in pieces if piece.field]
    if permit_type is None or len(labels) < _LEAST_LABELS:
        return None
    if _BACK_LABELS & set(labels):
        return Reading(permit_type, CardSide.BACK, {}, _values(pieces, _BACK_FORMATS))
    front = {**_FRONT_FORMATS, "Number": formats.permit_number(permit_type)}
    texts = _values(pieces, front)
    latin = (formats.latin_name(piece.line.text) for piece in pieces if not piece.field)
    texts["EnglishName"] = next(filter(None, latin), "")
    return Reading(permit_type, CardSide.FRONT, texts, {})


def split_at_labels(line: Line) -> list[Piece]:
    """Part a line where labels begin and end: detection often joins a label and its value.

    Places within the line are estimated by counting characters.
    """
    at, pieces, loose = 0, [], 0
    text = line.text
    while at < len(text):
        found = _label_at(text, at)
        if found is None:
            at += 1
            continue
        label, field = found
        pieces += _value_piece(line, loose, at)
        pieces.append(Piece(_part(line, at, at + len(label)), field))
        at = loose = at + len(label)
    return pieces + _value_piece(line, loose, len(text))


def _permit_type(texts: Iterable[str]) -> PermitType | None:
    likeness = [
        (SequenceMatcher(None, text, permit_type).ratio(), permit_type)
        for text in texts
        for permit_type in PermitType
    ]
    best, permit_type = max(likeness, key=lambda pair: pair[0], default=(0.0, PermitType.TAIWAN))
    return permit_type if best >= _TITLE_LIKENESS else None


def _label_at(text: str, at: int) -> tuple[str, str] | None:
    for label, field in _LABELS.items():
        seen = text[at : at + len(label)]
        slips = sum(a != b for a, b in zip(seen, label, strict=False)) + len(label) - len(seen)
        # Allow one misread character, and only at the start, where a label is expected; a short label must
        # be the whole text.
        forgiven = at == 0 and (len(label) >= 4 or len(text) == len(label))
        if slips == 0 or (slips == 1 and forgiven):
            return label, field
    return None


def _value_piece(line: Line, start: int, end: int) -> list[Piece]:
    text = line.text[start:end].strip(" :：")
    return [Piece(_part(line, start, end, text), "")] if text else []


def _part(line: Line, start: int, end: int, text: str | None = None) -> Line:
    if start == 0 and end == len(line.text):
        return Line(text or line.text, line.left, line.top, line.right, line.bottom)
    step = (line.right - line.left) / len(line.text)
    return Line(
        line.text[start:end] if text is None else text,
        line.left + start * step,
        line.top,
        line.left + end * step,
        line.bottom,
    )


def _values(pieces: Sequence[Piece], field_formats: dict[str, Format]) -> dict[str, str]:
    values = dict.fromkeys(field_formats, "")
    for label in pieces:
        if label.field in field_formats and not values[label.field]:
            near = (field_formats[label.field](text) for text in _near(label.line, pieces))
            values[label.field] = next(filter(None, near), "")
    for field in _TELLING & values.keys():
        if not values[field]:
            anywhere = (field_formats[field](piece.line.text) for piece in pieces if not piece.field)
            values[field] = next(filter(None, anywhere), "")
    return values


def _near(label: Line, pieces: Sequence[Piece]) -> list[str]:
    """Texts right of a label up to the next label, nearest first, then those below it."""
    right = sorted(
        (piece for piece in pieces if _is_right_of(piece.line, label)), key=lambda piece: piece.line.left
    )
    texts = []
    for piece in right:
        if piece.field:
            break
        texts.append(piece.line.text)
    below = sorted(
        (piece.line for piece in pieces if not piece.field and _is_below(piece.line, label)),
        key=lambda line: line.top,
    )
    return texts + [line.text for line in below]


def _is_right_of(line: Line, label: Line) -> bool:
    level = abs(line.middle - label.middle) < 0.5 * max(line.height, label.height)
    return level and -label.height <= line.left - label.right <= _RIGHT_REACH * label.height


def _is_below(line: Line, label: Line) -> bool:
    gap = line.top - label.bottom
    aligned = abs(line.left - label.left) <= _ALIGNED * label.height
    return aligned and -0.6 * label.height <= gap <= _BELOW_REACH * label.height
