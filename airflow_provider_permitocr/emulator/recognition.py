"""The action MainlandPermitOCR: parameters, image, engine, output fields."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import aiohttp

from airflow_provider_permitocr.emulator.engines import Engine
from airflow_provider_permitocr.emulator.errors import ApiError
from airflow_provider_permitocr.emulator.gateway.operations import INLINE_BYTES, Prepared, Request
from airflow_provider_permitocr.emulator.gateway.parameters import missing
from airflow_provider_permitocr.emulator.images import check_image, decode_base64, download
from airflow_provider_permitocr.permit.api import WARNINGS_FIELD, CardSide

logger = logging.getLogger(__name__)

SCHEMA: Final = {"ImageBase64": str, "ImageUrl": str, "RetProfile": bool, "CardSide": str}


@dataclass(frozen=True)
class Question:
    """What a call asks, apart from the image."""

    card_side: CardSide
    with_portrait: bool
    image_url: str | None


class Recognition:
    """Serve MainlandPermitOCR.

    :param engine: reads the images.
    :param threads: the pool that it reads in.
    :param session: for downloading ``ImageUrl``.
    :param site: ``intl`` or ``mainland``.
    :param download_seconds: how long a download may take.
    """

    def __init__(
        self,
        engine: Engine,
        threads: ThreadPoolExecutor,
        session: aiohttp.ClientSession,
        site: str,
        download_seconds: float,
    ) -> None:
        self._engine = engine
        self._threads = threads
        self._session = session
        self._site = site
        self._download_seconds = download_seconds

    async def prepare(self, request: Request) -> Prepared:
        """Read the parameters and get the image, downloading it if need be."""
        if len(request.body) > INLINE_BYTES:
            question, image, digest = await asyncio.to_thread(_decode, request)
        else:
            question, image, digest = _decode(request)
        if question.image_url:
            image = await download(self._session, question.image_url, self._site, self._download_seconds)
            digest = hashlib.sha256(image).hexdigest()
        return Prepared(partial(self._work, question, image), digest)

    async def _work(self, question: Question, image: bytes) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._recognize, question, image)

    def _recognize(self, question: Question, image: bytes) -> dict[str, Any]:
        check_image(image, self._site)
        try:
            fields = self._engine.read(image, question.card_side, question.with_portrait)
        except ApiError:
            raise
        except Exception as error:  # noqa: BLE001 - any exception of an engine is InternalError
            # Its message could quote the permit, so only its type and location are logged.
            place = "".join(traceback.format_tb(error.__traceback__))
            logger.error("The engine failed with %s:\n%s", type(error).__name__, place)
            raise ApiError("InternalError", "An internal error has occurred.") from None
        if self._site == "mainland":
            fields = {name: value for name, value in fields.items() if name != WARNINGS_FIELD}
        return fields


def _decode(request: Request) -> tuple[Question, bytes, str | None]:
    """Return the question and, unless it must be downloaded, the image with its digest."""
    parameters = request.parameters(SCHEMA)
    try:
        card_side = CardSide(parameters.get("CardSide") or CardSide.FRONT)
    except ValueError:
        raise ApiError(
            "InvalidParameterValue.InvalidParameterValueLimit",
            "The value of parameter `CardSide` is neither FRONT nor BACK.",
        ) from None
    url: str | None = parameters.get("ImageUrl")
    question = Question(card_side, parameters.get("RetProfile", False), url)
    if url:
        return question, b"", None
    if "ImageBase64" not in parameters:
        raise missing("ImageUrl")
    image = decode_base64(parameters["ImageBase64"])
    return question, image, hashlib.sha256(image).hexdigest() if image else None
