"""Engines read a permit: `rapidocr` from its pixels, `label` from a label in the file."""

from __future__ import annotations

from typing import Any, Protocol

from airflow_provider_permitocr.core.api import CardSide


class Engine(Protocol):
    """Turns one image into the API's output fields. Called from several threads at once."""

    def read(self, image: bytes, card_side: CardSide, ret_profile: bool) -> dict[str, Any]:
        """Read one image that has passed the format and size checks.

        :param image: the file as sent (PNG or JPEG).
        :param card_side: the side that the caller asked for.
        :param ret_profile: whether to return the portrait as base64 in ``Profile``.
        :return: every output field of the API page but ``RequestId``; absent text is ``''``.
        :raises ApiError: e.g. ``FailedOperation.ImageDecodeFailed`` for a broken file,
            ``FailedOperation.ImageNoSpecifiedCard`` for a picture that is no permit.
        """
        ...
