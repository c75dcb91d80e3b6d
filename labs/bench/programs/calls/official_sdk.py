"""The official SDK as its documentation shows it: what the alternatives to this provider are made of."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_permitocr.emulator.options import DEFAULT_SECRET_ID, DEFAULT_SECRET_KEY

if TYPE_CHECKING:
    import psycopg
    from tencentcloud.common.profile.client_profile import ClientProfile
    from tencentcloud.ocr.v20181119.ocr_client import OcrClient

#: Key, number of the front, number of the back, status.
PermitRow = tuple[str, str, str, str]


def typed_client(
    endpoint: str, secret_id: str = DEFAULT_SECRET_ID, secret_key: str = DEFAULT_SECRET_KEY
) -> OcrClient:
    """Make the SDK's client for an emulator."""
    from tencentcloud.common.credential import Credential
    from tencentcloud.ocr.v20181119.ocr_client import OcrClient

    return OcrClient(Credential(secret_id, secret_key), "", profile(endpoint))


def profile(endpoint: str) -> ClientProfile:
    """Return the settings of a client that keeps its connections."""
    from tencentcloud.common.profile.client_profile import ClientProfile
    from tencentcloud.common.profile.http_profile import HttpProfile

    return ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=endpoint, keepAlive=True))


def permit_row(client: OcrClient, image_id: str, image: str, card_side: str) -> PermitRow:
    """Recognize an image file.

    :raises TencentCloudSDKException: the service refused the call.
    """
    from tencentcloud.ocr.v20181119.models import MainlandPermitOCRRequest

    request = MainlandPermitOCRRequest()
    request.ImageBase64 = base64.b64encode(Path(image).read_bytes()).decode()
    request.CardSide = card_side
    answer = client.MainlandPermitOCR(request)
    back = answer.MainlandTravelPermitBackInfos
    return image_id, answer.Number, back.IDNumber if back else "", "recognized"


def insert(connection: psycopg.Connection, table: str, rows: Iterable[PermitRow]) -> None:
    """Write rows, and commit."""
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} VALUES (%s, %s, %s, %s)", rows)  # noqa: S608
    connection.commit()
