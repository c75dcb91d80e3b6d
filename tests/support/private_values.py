"""Finds what must be in a result and nowhere else: people's values, images and secrets."""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from datetime import date
from typing import Final

from airflow_provider_permitocr.emulator.specimens import Specimen
from airflow_provider_permitocr.permit.api import BACK_FIELD

#: This many characters of an image in a row are found wherever they are, however the image is written.
IMAGE_CHARACTERS: Final = 40
_PIECE: Final = IMAGE_CHARACTERS // 2
#: Below, a piece is padding or a line of one color, which other files hold too.
_DISTINCT: Final = 8
#: Values that say nothing of a person.
_OF_KIND: Final = {"Type", "Sex", "IssueAuthority", "IssueAddress", "IssueNumber", "Nationality", "Profile"}
_DAY: Final = re.compile(r"(\d{4})\D?(\d\d)\D?(\d\d)")
_ESCAPED: Final = re.compile(r"\\+u([0-9a-f]{4})")
_SIGNED: Final = re.compile(
    r"TC3-HMAC-SHA256 Credential|Signature=[0-9a-f]{16}|(?:q-|X-Amz-)?[Ss]ignature[=:]['\" ]*[\w%+/]{16}"
)


class PrivateValues:
    """What to look for, by kind, and the search."""

    def __init__(self) -> None:
        self._words: dict[str, str] = {}
        self._pieces: dict[str, str] = {}

    def add(self, kind: str, text: str) -> None:
        """Look for a text, such as a key."""
        assert len(text) > 1
        self._words[text] = kind

    def add_day(self, kind: str, printed: str) -> None:
        """Look for each day in a text, in all forms that programs and people write it in."""
        for year, month, day in _DAY.findall(printed):
            found = date(int(year), int(month), int(day))
            forms = (
                *(f"{year}{between}{month}{between}{day}" for between in (".", "-", "/", "")),
                *(f"{found.year}年{found.month}月{found.day}日", f"{year}年{month}月{day}日"),
                *(f"({found.year}, {found.month}, {found.day}", f"{day}.{month}.{year}", f"{found:%d %b %Y}"),
            )
            self._words |= dict.fromkeys(forms, kind)

    def add_image(self, image: bytes) -> None:
        """Look for pieces of a file: in base64, hexadecimal digits, and as Python writes bytes."""
        forms = {
            "image in base64": (b64encode(image).decode(), urlsafe_b64encode(image).decode()),
            "image": (repr(image)[2:-1], image.hex(), image.decode("latin-1"), str(list(image))),
        }
        for kind, texts in forms.items():
            for text in texts:
                for start in range(0, len(text) - _PIECE + 1, _PIECE):
                    piece = text[start : start + _PIECE]
                    if len(set(piece)) >= _DISTINCT and '"' not in piece:  # of the label that it carries
                        self._pieces[piece] = kind

    def add_specimen(self, specimen: Specimen) -> None:
        """Look for all that a permit prints of its holder, and for its picture."""
        fields = specimen.fields
        for name, value in (*fields.items(), *(fields.get(BACK_FIELD) or {}).items()):
            if not isinstance(value, str) or not value or name in _OF_KIND:
                continue
            if name in ("Birthday", "ValidDate"):
                self.add_day(name, value)
            else:
                self.add(name, value)
        self.add_image(specimen.image)

    def found_in(self, text: str) -> set[tuple[str, str]]:
        """Return the kinds of values that a text holds, each with one such value."""
        plain = _ESCAPED.sub(lambda code: chr(int(code[1], 16)), text) if "\\u" in text else text
        found = {(kind, word) for word, kind in self._words.items() if word in plain}
        found |= {("signature", signed[0]) for signed in _SIGNED.finditer(plain)}
        return found | self._images_in(text)

    def _images_in(self, text: str) -> set[tuple[str, str]]:
        pieces = self._pieces
        if not pieces:
            return set()
        starts = range(len(text) - _PIECE + 1)
        found = {piece for start in starts if (piece := text[start : start + _PIECE]) in pieces}
        return {(pieces[piece], piece) for piece in found}
