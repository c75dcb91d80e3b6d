"""The API's names, sites, limits and warning codes, which several modules share; fields: ``columns.py``.

Source, unless stated otherwise: the API page of MainlandPermitOCR, version 2018-11-19
(tencentcloud.com/document/product/1005, "MainlandPermitOCR").
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, NoReturn

from airflow_provider_permitocr.permit.columns import BACK_TEXT_COLUMNS, FRONT_TEXT_COLUMNS

SERVICE: Final = "ocr"
ACTION: Final = "MainlandPermitOCR"
VERSION: Final = "2018-11-19"

DEFAULT_REQUESTS_PER_SECOND: Final = 20
MAX_DOWNLOAD_SECONDS: Final = 3.0
#: The page names no limit. Decoders do: this is where Pillow, which the emulator reads with, stops
#: (``Image.MAX_IMAGE_PIXELS``, twice), and half a gigabyte once decoded.
MAX_PIXELS: Final = 2 * (1024 * 1024 * 1024 // 4 // 3)


class CardSide(StrEnum):
    """Which side of the document an image shows (``CardSide``)."""

    FRONT = "FRONT"
    BACK = "BACK"

    @classmethod
    def _missing_(cls, _value: object) -> NoReturn:
        # Without the value: a column taken for the side by mistake may hold people's data.
        raise ValueError("a card side must be FRONT or BACK")


class ImageFormat(StrEnum):
    """The image formats that the API accepts."""

    PNG = "PNG"
    JPEG = "JPEG"


@dataclass(frozen=True)
class Site:
    """One of Tencent Cloud's two separate sites; accounts of one are unknown to the other.

    :param endpoint: host name of the service.
    :param max_base64_bytes: largest image, in bytes after base64 encoding.
    :param language: language of error messages (``X-TC-Language``).
    """

    name: str
    endpoint: str
    max_base64_bytes: int
    language: str


#: The mainland page grants 10 MB after base64, but its gateway takes requests of 10 MB in all
#: (cloud.tencent.com/document/product/1278/46710), so the image has to leave room for the JSON.
SITES: Final[dict[str, Site]] = {
    "intl": Site("intl", "ocr.intl.tencentcloudapi.com", 7 * 1024 * 1024, "en-US"),
    "mainland": Site("mainland", "ocr.tencentcloudapi.com", 9_500_000, "zh-CN"),
}

#: Output fields that are plain text, absent as ''.
TEXT_FIELDS: Final = tuple(FRONT_TEXT_COLUMNS.values())
BACK_FIELD: Final = "MainlandTravelPermitBackInfos"
BACK_FIELDS: Final = tuple(BACK_TEXT_COLUMNS.values())
WARNINGS_FIELD: Final = "WarnCardInfos"
OUTPUT_FIELDS: Final = frozenset((*TEXT_FIELDS, BACK_FIELD, WARNINGS_FIELD))


class CardWarning(IntEnum):
    """``WarnCardInfos`` codes by name; only the international site sends them."""

    PHOTOCOPY = -9102
    RECAPTURE = -9103
    PHOTOSHOPPED = -9104
    NOT_ENABLED = -9109


class PermitType(StrEnum):
    """Values of ``Type`` as the service prints them (the SDK's sample and documentation)."""

    TAIWAN = "台湾居民来往大陆通行证"
    HONG_KONG_MACAO = "港澳居民来往内地通行证"
    EXIT_ENTRY = "往来港澳通行证"
