"""Calls an emulator with whatever SDK packages are in front, and prints what came of it as JSON.

Arguments: the emulator's endpoint, its key pair, and an image file.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

from airflow_provider_permitocr.engine.models import PermitRequest
from airflow_provider_permitocr.permit.api import SITES, CardSide
from airflow_provider_permitocr.tencent.client import MainlandPermitClient
from airflow_provider_permitocr.tencent.keys.key_source import key_source
from airflow_provider_permitocr.tencent.keys.sts import caller_identity
from airflow_provider_permitocr.tencent.options import ClientOptions
from airflow_provider_permitocr.tencent.sdk import ocr_client


def check(endpoint: str, secret_id: str, secret_key: str, image: bytes) -> dict[str, object]:
    import tencentcloud
    from tencentcloud.ocr.v20181119.models import MainlandPermitOCRRequest

    options = ClientOptions(secret_id, secret_key, endpoint=endpoint, protocol="http")
    response = MainlandPermitClient(options).recognize(PermitRequest(CardSide.FRONT, image=image))
    request = MainlandPermitOCRRequest()
    request.ImageBase64 = base64.b64encode(image).decode()
    typed = ocr_client(options, key_source(options)).MainlandPermitOCR(request)
    return {
        "sdk": tencentcloud.__file__,
        "fields": response.fields,
        "typed_number": typed.Number,
        "identity": str(caller_identity(options, key_source(options))),
        "sites": {site: _settings(ClientOptions("id", "key", site=SITES[site])) for site in SITES},
    }


def _settings(options: ClientOptions) -> list[str]:
    profile = ocr_client(options, key_source(options)).profile
    return [profile.httpProfile.scheme, profile.httpProfile.endpoint, profile.language]


if __name__ == "__main__":
    given_endpoint, given_id, given_key, path = sys.argv[1:]
    print(json.dumps(check(given_endpoint, given_id, given_key, Path(path).read_bytes())))
