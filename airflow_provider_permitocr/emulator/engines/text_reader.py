"""Text on a picture: found and read by RapidOCR's models, laid straight."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from threading import BoundedSemaphore
from typing import Any, Final

import numpy as np
from omegaconf import OmegaConf
from onnxruntime import InferenceSession, SessionOptions  # type: ignore[import-untyped]
from rapidocr.ch_ppocr_det import TextDetector
from rapidocr.ch_ppocr_rec import TextRecInput, TextRecognizer
from rapidocr.utils.parse_parameters import ParseParams
from rapidocr.utils.process_img import get_rotate_crop_image

from airflow_provider_permitocr.emulator.engines.lines import (
    Line,
    Quad,
    straighten,
    writing_angle,
)
from airflow_provider_permitocr.emulator.engines.picture import Pixels

_DETECTION_MODEL: Final = "PP-OCRv6_det_small.onnx"
_RECOGNITION_MODEL: Final = "PP-OCRv6_rec_small.onnx"
#: Longer side, in pixels, of the picture in which text is detected; it is read at full size.
_DETECTION_SIDE: Final = 736
#: Width of the narrowest batch, for crops 48 high: labels of four characters fit.
_RECOGNITION_SHAPE: Final = (3, 48, 192)
#: No field is this much longer than high. English titles and machine-readable lines are, and reading
#: them would take half of the time.
_LONGEST_ASPECT: Final = 17.0


@dataclass(frozen=True)
class Text:
    """All text of a picture.

    :param lines: laid level.
    :param angle: slope of the writing before that, in radians.
    :param sideways: whether most of it runs up or down: the picture lies on its side.
    """

    lines: Sequence[Line] = ()
    angle: float = 0.0
    sideways: bool = False


class TextReader:
    """Loads the models included in the rapidocr package, once; downloads nothing.

    Several threads may read at once: the models keep no state between pictures. If there are more pictures
    than processors, the rest wait, because reading them concurrently would only use memory.

    :param threads: that one picture uses; two by default, more gain little.
    :raises FileNotFoundError: if the installed rapidocr includes other models.
    """

    def __init__(self, threads: int | None = None) -> None:
        processors = os.cpu_count() or 1
        threads = threads or min(2, processors)
        self._turns = BoundedSemaphore(processors)
        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        # RapidOCR's own front end does not accept a session (see its pull request 451), but its two stages
        # do.
        config = ParseParams.load(str(files("rapidocr") / "config.yaml"))
        self._detect = TextDetector(
            _with(
                config.Det,
                session=_session(_DETECTION_MODEL, threads),
                limit_type="max",
                limit_side_len=_DETECTION_SIDE,
            )
        )
        self._recognize = TextRecognizer(
            _with(
                config.Rec,
                session=_session(_RECOGNITION_MODEL, threads),
                rec_img_shape=list(_RECOGNITION_SHAPE),
                font_path=None,
            )
        )

    def read(self, pixels: Pixels) -> Text:
        """Read a picture.

        :param pixels: height by width by blue, green and red.
        """
        with self._turns:
            return self._read(pixels)

    def _read(self, pixels: Pixels) -> Text:
        boxes = self._detect(pixels).boxes
        if boxes is None:
            return Text()
        crops = [get_rotate_crop_image(pixels, box.copy()) for box in boxes]
        kept = [at for at, crop in enumerate(crops) if crop.shape[1] <= _LONGEST_ASPECT * crop.shape[0]]
        if not kept:
            return Text()
        quads: list[Quad] = boxes[kept].tolist()
        read = self._recognize(TextRecInput(img=[crops[at] for at in kept]))
        angle = writing_angle(quads)
        return Text(straighten(quads, read.txts or (), angle), angle, _mostly_tall(boxes))


def _with(section: Any, **changes: Any) -> Any:
    """A section of RapidOCR's configuration with changes, which may be any objects."""
    return OmegaConf.create({**section, **changes}, flags={"allow_objects": True})


def _session(model: str, threads: int) -> InferenceSession:
    path = files("rapidocr") / "models" / model
    if not path.is_file():
        raise FileNotFoundError(f"the installed rapidocr lacks {model}: install rapidocr>=3.10")
    options = SessionOptions()
    options.intra_op_num_threads = threads
    # The arena keeps the memory of every size of picture seen: a third more, for a tenth of the time.
    options.enable_cpu_mem_arena = False
    # Threads that spin while they wait take the processors from the rest of a test's or demo's machine:
    # on two busy processors reading took two and a half times as long.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _mostly_tall(boxes: np.ndarray[Any, np.dtype[Any]]) -> bool:
    widths = np.linalg.norm(boxes[:, 1] - boxes[:, 0], axis=1)
    heights = np.linalg.norm(boxes[:, 2] - boxes[:, 1], axis=1)
    return bool(np.median(heights / widths) > 1)
