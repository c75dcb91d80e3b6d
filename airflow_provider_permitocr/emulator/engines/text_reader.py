"""Text on a picture: found and read by RapidOCR, laid straight."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

import numpy as np
from rapidocr import RapidOCR
from rapidocr.main import RapidOCRError

from airflow_provider_permitocr.emulator.engines.lines import Line, straighten, writing_angle
from airflow_provider_permitocr.emulator.engines.picture import Pixels

#: Longer side, in pixels, of the picture in which text is looked for; it is read at full size.
_DETECTION_SIDE: Final = 736
#: No field is this much longer than high. English titles and machine-readable lines are, and reading
#: them would take half of the time.
_LONGEST_ASPECT: Final = 17.0
#: Width of the narrowest batch, for crops 48 high: labels of four characters fit.
_RECOGNITION_SHAPE: Final = [3, 48, 192]


@dataclass(frozen=True)
class Text:
    """All text of a picture.

    :param angle: slope of the writing, in radians; ``lines`` are laid level by it.
    """

    lines: list[Line]
    angle: float


class TextReader:
    """Loads the models that the rapidocr package carries, once; downloads nothing.

    Several threads may read at once: the models keep no state between pictures.

    :param threads: that one inference uses; all processors by default.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._ocr = RapidOCR(
            params={
                "Global.log_level": "error",
                "Global.use_cls": False,
                "Global.use_vertical_padding": False,
                "Det.limit_type": "max",
                "Det.limit_side_len": _DETECTION_SIDE,
                "Rec.rec_img_shape": _RECOGNITION_SHAPE,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads or os.cpu_count() or 1,
            }
        )
        self.read(np.full((64, 64, 3), 255, np.uint8))
        self._ocr.recognize_txt([np.full((48, 96, 3), 255, np.uint8)])

    def read(self, pixels: Pixels) -> Text:
        """Read a picture.

        :param pixels: height by width by blue, green and red.
        """
        try:
            crops, found = self._ocr.detect_and_crop(pixels, {})
        except RapidOCRError:
            # Its way to say that there is no text.
            return Text([], 0.0)
        kept = [at for at, crop in enumerate(crops) if crop.shape[1] <= _LONGEST_ASPECT * crop.shape[0]]
        if not kept or found.boxes is None:
            return Text([], 0.0)
        quads = found.boxes[kept].tolist()
        texts = self._ocr.recognize_txt([crops[at] for at in kept]).txts or ()
        angle = writing_angle(quads)
        return Text(straighten(quads, texts, angle), angle)
