"""Engines read a permit: `rapidocr` from its pixels, `label` from a label in the file."""

from __future__ import annotations

import os
from typing import Any, Final, Protocol

from airflow_provider_permitocr.permit.api import CardSide

# onnxruntime reports its use to its maker unless that is switched off before the import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


class Engine(Protocol):
    """Turns one image into the API's output fields. Called from several threads at once."""

    def read(self, image: bytes, card_side: CardSide, with_portrait: bool) -> dict[str, Any]:
        """Read one image that has passed the format and size checks.

        :param image: the file as sent (PNG or JPEG).
        :param card_side: the side that the caller requested.
        :param with_portrait: whether to return the portrait as base64 in ``Profile``.
        :return: every output field of the API page except ``RequestId``; absent text is ``''``.
        :raises ApiError: e.g. ``FailedOperation.ImageDecodeFailed`` for a damaged file,
            ``FailedOperation.ImageNoSpecifiedCard`` for a picture that is not a permit.
        """
        ...


ENGINE_NAMES: Final = ("rapidocr", "label")


def load_engine(name: str) -> Engine:
    """Make an engine by its name, importing only what it needs.

    :param name: one of :data:`ENGINE_NAMES`.
    :raises ValueError: if there is no such engine.
    """
    if name == "rapidocr":
        from airflow_provider_permitocr.emulator.engines.rapidocr import RapidOcrEngine

        return RapidOcrEngine()
    if name == "label":
        from airflow_provider_permitocr.emulator.engines.label import LabelEngine

        return LabelEngine()
    raise ValueError(f"engine {name!r} does not exist: choose one of {', '.join(ENGINE_NAMES)}")
