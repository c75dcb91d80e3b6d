"""Card layouts: what is printed where, one table per kind and side.

The designs are this project's own and no copy of any real document; only the fields that a kind prints,
and their formats, follow the real cards. Distances are in units of a card 1000 wide and 630 high.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw

from airflow_provider_permitocr.emulator.specimens.drawing.fonts import font
from airflow_provider_permitocr.emulator.specimens.drawing.mrz import machine_readable_lines
from airflow_provider_permitocr.emulator.specimens.drawing.paper import Color, Ink, draw_paper
from airflow_provider_permitocr.emulator.specimens.drawing.portrait import draw_portrait
from airflow_provider_permitocr.emulator.specimens.kinds import KINDS, PermitKind
from airflow_provider_permitocr.emulator.specimens.permits import Permit
from airflow_provider_permitocr.emulator.specimens.truth import truth
from airflow_provider_permitocr.permit.api import BACK_FIELD, CardSide

CARD_WIDTH: Final = 1000
CARD_HEIGHT: Final = 630


@dataclass(frozen=True)
class Cell:
    """One field's place.

    :param field: its name in the API; on the back, that of ``MainlandTravelPermitBackInfos``.
    :param label: printed before or above it; '' for none.
    :param beside: distance from label to value when they share a line; 0 puts the value below.
    """

    field: str
    label: str
    x: int
    y: int
    size: int = 31
    beside: int = 0


@dataclass(frozen=True)
class Layout:
    """One side of one kind of card."""

    ink: Ink
    cells: tuple[Cell, ...]
    portrait: tuple[int, int, int, int] | None
    stamp: tuple[int, int]
    mrz: tuple[int, int] | None = None


_TEAL: Final = Ink(((226, 240, 240), (246, 230, 232)), (120, 180, 186), (18, 92, 110), (66, 116, 128))
_SAND: Final = Ink(((244, 236, 220), (224, 236, 246)), (190, 164, 116), (126, 76, 24), (132, 104, 66))
_GREEN: Final = Ink(((228, 242, 226), (232, 236, 246)), (130, 184, 140), (26, 96, 58), (76, 122, 92))
_BLUE: Final = Ink(((226, 234, 248), (240, 230, 244)), (136, 156, 206), (34, 60, 134), (84, 102, 152))

_PORTRAIT: Final = (48, 150, 300, 465)

_HONG_KONG_MACAO: Final = (
    Cell("Name", "姓名", 345, 134, 38),
    Cell("EnglishName", "", 345, 216, 25),
    Cell("Birthday", "出生日期", 345, 268),
    Cell("Sex", "性别", 640, 268),
    Cell("ValidDate", "有效期限", 345, 350),
    Cell("IssueAuthority", "签发机关", 345, 432),
    Cell("IssueAddress", "签发地点", 345, 514),
    Cell("IssueNumber", "换证次数", 560, 514),
    Cell("Number", "证件号码", 48, 495, 38),
)
_NON_CHINESE: Final = (
    Cell("EnglishName", "姓名", 345, 140, 33),
    Cell("Nationality", "国籍", 345, 222),
    Cell("Sex", "性别", 640, 222),
    Cell("Birthday", "出生日期", 345, 304),
    Cell("IssueAddress", "签发地点", 640, 304),
    Cell("ValidDate", "有效期限", 345, 386),
    Cell("IssueAuthority", "签发机关", 345, 468),
    Cell("IssueNumber", "换证次数", 345, 546, 28, 110),
    Cell("Number", "证件号码", 48, 495, 38),
)
_TAIWAN: Final = (
    Cell("Name", "姓名", 345, 150, 36, 120),
    Cell("EnglishName", "", 465, 204, 26),
    Cell("Sex", "性别", 345, 258, 30, 120),
    Cell("Birthday", "出生日期", 345, 312, 30, 120),
    Cell("ValidDate", "有效期限", 345, 366, 30, 120),
    Cell("IssueAuthority", "签发机关", 345, 420, 30, 120),
    Cell("IssueAddress", "签发地点", 345, 474, 30, 120),
    Cell("IssueNumber", "换证次数", 345, 528, 30, 120),
    Cell("Number", "证件号码", 48, 495, 40),
)
_EXIT_ENTRY: Final = (
    Cell("Number", "证件号码", 345, 142, 38, 120),
    Cell("Name", "姓名", 345, 206, 34, 120),
    Cell("EnglishName", "", 465, 256, 26),
    Cell("Birthday", "出生日期", 345, 308, 30, 120),
    Cell("Sex", "性别", 700, 308, 30, 70),
    Cell("ValidDate", "有效期限", 345, 362, 30, 120),
    Cell("IssueAddress", "签发地点", 345, 416, 30, 120),
    Cell("IssueAuthority", "签发机关", 345, 470, 30, 120),
)
_BACK: Final = (
    Cell("Name", "姓名", 60, 150, 36),
    Cell("IDNumber", "身份证件号码", 60, 250),
    Cell("HistoryNumber", "历史通行证号码", 480, 250),
)

LAYOUTS: Final[dict[tuple[PermitKind, CardSide], Layout]] = {
    (PermitKind.HONG_KONG_MACAO, CardSide.FRONT): Layout(_TEAL, _HONG_KONG_MACAO, _PORTRAIT, (870, 200)),
    (PermitKind.HONG_KONG_MACAO, CardSide.BACK): Layout(_TEAL, _BACK, None, (885, 195), (56, 480)),
    (PermitKind.NON_CHINESE, CardSide.FRONT): Layout(_SAND, _NON_CHINESE, _PORTRAIT, (870, 545)),
    (PermitKind.NON_CHINESE, CardSide.BACK): Layout(_SAND, _BACK, None, (885, 195), (56, 480)),
    (PermitKind.TAIWAN, CardSide.FRONT): Layout(_GREEN, _TAIWAN, _PORTRAIT, (850, 530)),
    (PermitKind.EXIT_ENTRY, CardSide.FRONT): Layout(
        _BLUE, _EXIT_ENTRY, (48, 142, 300, 457), (885, 215), (56, 575)
    ),
}


def draw_card(permit: Permit, side: CardSide, width: int, rng: random.Random) -> Image.Image:
    """Draw one side of a permit, filling the picture.

    :param width: in pixels; the height follows the card's proportions.
    :raises ValueError: if the API does not read this side of this kind.
    """
    layout = LAYOUTS.get((permit.kind, side))
    if layout is None:
        raise ValueError(
            f"no {side} of a {permit.kind} permit: the API reads the back of mainland travel permits "
            f"for Hong Kong and Macao residents only, so request {CardSide.FRONT}"
        )
    scale = width / CARD_WIDTH
    card = draw_paper((width, round(CARD_HEIGHT * scale)), layout.ink, rng.uniform(0, 6.28))
    pen = _Pen(ImageDraw.Draw(card), scale)
    _draw_head(pen, permit.kind, layout.ink)
    fields = truth(permit, side)
    texts = fields if side is CardSide.FRONT else fields[BACK_FIELD]
    for cell in layout.cells:
        _draw_cell(pen, cell, texts[cell.field], layout.ink)
    if layout.portrait is not None:
        _paste_portrait(card, pen, layout, permit.person.sex, rng)
    if layout.mrz is not None:
        for number, line in enumerate(machine_readable_lines(permit)):
            pen.spaced(line, layout.mrz[0], layout.mrz[1] + 44 * number, 27, 29.6)
    _stamp(card, layout.stamp, scale)
    return card


@dataclass(frozen=True)
class _Pen:
    """Writes at card coordinates."""

    draw: ImageDraw.ImageDraw
    scale: float

    def text(self, text: str, x: float, y: float, size: float, color: Color, weight: int = 400) -> None:
        face = font(max(1, round(size * self.scale)), weight)
        self.draw.text((x * self.scale, y * self.scale), text, fill=color, font=face, anchor="ls")

    def spaced(self, text: str, x: float, y: float, size: float, step: float) -> None:
        """Write in cells of one width, as machine-readable lines are."""
        for number, character in enumerate(text):
            center = ((x + step * (number + 0.5)) * self.scale, y * self.scale)
            face = font(max(1, round(size * self.scale)), 500)
            self.draw.text(center, character, fill=(40, 40, 46), font=face, anchor="ms")


def _draw_head(pen: _Pen, kind: PermitKind, ink: Ink) -> None:
    facts = KINDS[kind]
    scale = pen.scale
    for number in range(5):
        inset = number * 6.5
        box = [(48 + inset) * scale, (30 + inset) * scale, (118 - inset) * scale, (100 - inset) * scale]
        pen.draw.ellipse(box, outline=ink.title, width=max(1, round((2.4 - 0.3 * number) * scale)))
    pen.text(facts.permit_type, 142, 74, 46, ink.title, 700)
    pen.text(facts.title, 144, 102, 18, ink.label, 500)


def _draw_cell(pen: _Pen, cell: Cell, text: str, ink: Ink) -> None:
    if not text and cell.field != "HistoryNumber":
        return
    baseline = cell.y + 18
    if cell.beside:
        pen.text(cell.label, cell.x, baseline + 8, 22, ink.label)
        pen.text(text, cell.x + cell.beside, baseline + 10, cell.size, ink.value, 500)
        return
    if cell.label:
        pen.text(cell.label, cell.x, baseline, 20, ink.label)
        baseline += cell.size + 9
    pen.text(text, cell.x, baseline, cell.size, ink.value, 500)


def _paste_portrait(card: Image.Image, pen: _Pen, layout: Layout, sex: str, rng: random.Random) -> None:
    assert layout.portrait is not None
    left, top, right, bottom = (round(edge * pen.scale) for edge in layout.portrait)
    card.paste(draw_portrait(rng, sex, (right - left, bottom - top)), (left, top))
    pen.draw.rectangle(
        (left, top, right, bottom), outline=layout.ink.label, width=max(1, round(1.6 * pen.scale))
    )


def _stamp(card: Image.Image, center: tuple[int, int], scale: float) -> None:
    """Mark the card as a specimen, in a place that holds no field."""
    width, height = round(190 * scale), round(92 * scale)
    stamp = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(stamp)
    red = (196, 40, 44, 210)
    draw.rounded_rectangle(
        (2, 2, width - 3, height - 3), radius=round(12 * scale), outline=red, width=max(1, round(4 * scale))
    )
    draw.text((width / 2, height * 0.36), "样  本", fill=red, font=font(round(38 * scale), 700), anchor="mm")
    draw.text(
        (width / 2, height * 0.76), "SPECIMEN", fill=red, font=font(round(25 * scale), 700), anchor="mm"
    )
    turned = stamp.rotate(11, Image.Resampling.BICUBIC, expand=True)
    x, y = (round(place * scale) for place in center)
    card.paste(turned, (x - turned.width // 2, y - turned.height // 2), turned)
