"""The emulator's one exception: an answer with an error code, as the API gives it."""

from __future__ import annotations


class ApiError(Exception):
    """Raised anywhere in the emulator, answered as ``{"Response": {"Error": {...}}}``.

    :param code: one of the API's codes, e.g. ``FailedOperation.ImageDecodeFailed``.
    :param message: its English message.
    :param chinese: its Chinese message, if it contains values of this call; otherwise the code's general
        message is used (see ``messages.py``).
    """

    def __init__(self, code: str, message: str, chinese: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.chinese = chinese
