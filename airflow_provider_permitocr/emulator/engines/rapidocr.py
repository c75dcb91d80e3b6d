"""The `rapidocr` engine: reads the pixels, with models included in the rapidocr package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image

from airflow_provider_permitocr.emulator.engines.answer import answer, check_side, no_specified_card
from airflow_provider_permitocr.emulator.engines.assembly import Reading, read_card
from airflow_provider_permitocr.emulator.engines.picture import Pixels, decode, looks_photocopied
from airflow_provider_permitocr.emulator.engines.portrait import cut_portrait
from airflow_provider_permitocr.emulator.engines.text_reader import Text, TextReader
from airflow_provider_permitocr.permit.api import CardSide, CardWarning

#: With fewer lines than this, it is not a card, whatever its orientation.
_LEAST_LINES: Final = 4
_TURNS: Final = (cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE)


@dataclass(frozen=True)
class _Card:
    """A picture in the right orientation, and its text."""

    pixels: Pixels
    text: Text
    reading: Reading


class RapidOcrEngine:
    """Reads permits as the service does: only from their pixels.

    :param threads: that one picture uses; two by default.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._reader = TextReader(threads)

    def read(self, image: bytes, card_side: CardSide, with_portrait: bool) -> dict[str, Any]:
        """Read one image; see :class:`~..engines.Engine` for the parameters.

        ``WarnCardInfos`` contains -9102 for a picture without color; other warnings are not checked.

        :raises ApiError: ``FailedOperation.ImageDecodeFailed``; ``FailedOperation.ImageNoSpecifiedCard``
                for a picture that is not a permit or shows the other side.
        """
        picture = decode(image)
        card = self._find_card(picture)
        if card is None:
            raise no_specified_card()
        reading = card.reading
        check_side(card_side, reading.side, reading.permit_type)
        texts = dict(reading.texts)
        if with_portrait and card_side is CardSide.FRONT:
            texts["Profile"] = cut_portrait(card.pixels, card.text)
        warnings = [int(CardWarning.PHOTOCOPY)] if looks_photocopied(picture) else []
        return answer(reading.permit_type, texts, reading.back, warnings)

    def _find_card(self, picture: Image.Image) -> _Card | None:
        """Read a picture as it lies, and the other ways up if it has text that makes no sense."""
        pixels = cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False)
        for turn in (None, *_TURNS):
            turned = pixels if turn is None else cv2.rotate(pixels, turn).astype(np.uint8, copy=False)
            text = self._reader.read(turned)
            reading = None if text.sideways else read_card(text.lines)
            if reading is not None:
                return _Card(turned, text, reading)
            if len(text.lines) < _LEAST_LINES:
                return None
        return None
