"""The official SDK's client, with every default set explicitly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_permitocr.log_privacy import keep_data_out_of_logs
from airflow_provider_permitocr.net.connection_pool import proxy_and_authorities
from airflow_provider_permitocr.tencent.keys.credentials import KeySource
from airflow_provider_permitocr.tencent.options import ClientOptions

if TYPE_CHECKING:
    from tencentcloud.ocr.v20181119.ocr_client import OcrClient


class SdkCredential:
    """A source of keys with the SDK's interface: read at each call, all three at once."""

    def __init__(self, keys: KeySource) -> None:
        self._keys = keys

    def get_credential_info(self) -> tuple[str, str, str | None]:
        """Return the id, the key and the token to sign with now.

        :raises CallError: when there are none.
        """
        keys = self._keys.current()
        return keys.secret_id, keys.secret_key, keys.token


def ocr_client(options: ClientOptions, keys: KeySource) -> OcrClient:
    """Make the SDK's typed OCR client. It is not made for sharing between threads."""
    from tencentcloud.common.profile.client_profile import ClientProfile
    from tencentcloud.common.profile.http_profile import HttpProfile
    from tencentcloud.ocr.v20181119.ocr_client import OcrClient

    keep_data_out_of_logs()
    proxy, authorities = proxy_and_authorities(
        f"{options.protocol}://{options.host}/", proxy=options.proxy, ca_bundle=options.ca_bundle
    )
    # Always set endpoint and language: their defaults depend on which SDK package was installed last. No
    # retryer: the SDK's own discards an answer that arrives after an error.
    http = HttpProfile(
        protocol=options.protocol,
        endpoint=options.host,
        reqTimeout=(options.connect_timeout, options.read_timeout),
        keepAlive=True,
        proxy=proxy or None,
        certification=authorities,
    )
    profile = ClientProfile(httpProfile=http, language=options.site.language)
    return OcrClient(SdkCredential(keys), options.region, profile)
