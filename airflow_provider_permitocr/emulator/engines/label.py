"""The `label` engine: answers from a specimen's label, without decoding pixels."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

from PIL import Image

from airflow_provider_permitocr.emulator.engines.answer import check_side, no_specified_card
from airflow_provider_permitocr.emulator.specimens.label import read_label
from airflow_provider_permitocr.permit.api import CardSide, PermitType


class LabelEngine:
    """For load and fault tests: thousands of answers a second, always right.

    Its portrait is the same plain picture for everyone.
    """

    def __init__(self) -> None:
        buffer = BytesIO()
        Image.new("RGB", (80, 100), (208, 224, 238)).save(buffer, "JPEG")
        self._portrait = base64.b64encode(buffer.getvalue()).decode()

    def read(self, image: bytes, card_side: CardSide, with_portrait: bool) -> dict[str, Any]:
        """Answer what the label says; see :class:`~..engines.Engine` for the parameters.

        :raises ApiError: ``FailedOperation.ImageNoSpecifiedCard`` for a file without a label, and for
            the wrong side.
        """
        label = read_label(image)
        if label is None:
            raise no_specified_card()
        check_side(card_side, label.side, PermitType(label.fields["Type"]))
        front = with_portrait and card_side is CardSide.FRONT
        return {**label.fields, "Profile": self._portrait if front else ""}
