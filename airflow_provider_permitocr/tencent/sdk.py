"""The official SDK's credential and clients, set up so that none of their defaults surprises."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_permitocr.core.api import SERVICE
from airflow_provider_permitocr.net.connection_pool import proxy_and_authorities
from airflow_provider_permitocr.tencent.options import ClientOptions

if TYPE_CHECKING:
    from tencentcloud.common.credential import Credential
    from tencentcloud.common.profile.client_profile import ClientProfile
    from tencentcloud.ocr.v20181119.ocr_client import OcrClient

_STS_VERSION = "2018-08-13"


def ocr_client(options: ClientOptions) -> OcrClient:
    """Make the SDK's typed OCR client. It is not made for sharing between threads."""
    from tencentcloud.ocr.v20181119.ocr_client import OcrClient

    return OcrClient(*_settings(options, options.host))


def sdk_credential(options: ClientOptions) -> Credential:
    """Make the SDK's credential."""
    from tencentcloud.common.credential import Credential

    return Credential(options.secret_id, options.secret_key, options.token)


def caller_identity(options: ClientOptions) -> str:
    """Ask STS, free of charge, whose credentials these are.

    :return: the account's id and the identity's ARN.
    :raises TencentCloudSDKException: when STS does not know them.
    """
    response = _caller_identity(options)
    return f"account {response.get('AccountId')}, {response.get('Arn')}"


def account_id(options: ClientOptions) -> str:
    """Ask STS, free of charge, for the id of the account that these credentials belong to.

    :raises TencentCloudSDKException: when STS does not know them.
    """
    return str(_caller_identity(options)["AccountId"])


def _caller_identity(options: ClientOptions) -> dict[str, Any]:
    from tencentcloud.common.common_client import CommonClient

    # A replaced endpoint is an emulator or a gateway, and serves STS as well.
    host = options.endpoint or options.site.endpoint.replace(f"{SERVICE}.", "sts.", 1)
    client = CommonClient("sts", _STS_VERSION, *_settings(options, host))
    return dict(client.call_json("GetCallerIdentity", {})["Response"])


def _settings(options: ClientOptions, host: str) -> tuple[object, str, ClientProfile]:
    from tencentcloud.common.profile.client_profile import ClientProfile
    from tencentcloud.common.profile.http_profile import HttpProfile

    _keep_debug_out_of_the_log()
    proxy, authorities = proxy_and_authorities(
        f"{options.protocol}://{host}/", proxy=options.proxy, ca_bundle=options.ca_bundle
    )
    # Endpoint and language are always given: which of the SDK's packages was installed last changes
    # their defaults. No retryer: the SDK's own throws away an answer that came after an error.
    http = HttpProfile(
        protocol=options.protocol,
        endpoint=host,
        reqTimeout=(options.connect_timeout, options.read_timeout),
        keepAlive=True,
        proxy=proxy or None,
        certification=authorities,
    )
    profile = ClientProfile(httpProfile=http, language=options.site.language)
    return sdk_credential(options), options.region, profile


def _keep_debug_out_of_the_log() -> None:
    """Cap the SDK's logger: at DEBUG it prints the image, the signature and the person's data."""
    logger = logging.getLogger("tencentcloud_sdk_common")
    if logger.level < logging.INFO:
        logger.setLevel(logging.INFO)
