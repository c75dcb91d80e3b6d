"""The official client of Tencent Cloud's object storage (COS), and its presigned URLs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from airflow_provider_permitocr.log_privacy import keep_data_out_of_logs, silenced
from airflow_provider_permitocr.tencent.endpoints import is_trusted, origin
from airflow_provider_permitocr.tencent.options import ClientOptions

if TYPE_CHECKING:
    from qcloud_cos import CosS3Client

_ENDPOINT: Final = re.compile(r"(?:(https?)://)?([A-Za-z0-9.-]+(?::\d{1,5})?)/?")
_REGION: Final = re.compile(r"[a-z0-9-]+")
#: The maximum number of images in flight, so that no connection is discarded after one use.
_CONNECTIONS: Final = 128


def cos_client(options: ClientOptions, endpoint: str | None = None) -> CosS3Client:
    """Make a client, for any number of threads.

    It neither retries nor logs: its log lines contain objects' URLs at INFO, signatures at DEBUG, and
    exception messages at ERROR.

    :param options: the account; its ``region`` is that of the bucket.
    :param endpoint: host to which the bucket's name is prefixed, with ``http://`` or ``https://`` (the
        default) and an optional port, instead of the region's own, ``cos.<region>.myqcloud.com``.
    :raises ImportError: when cos-python-sdk-v5 is not installed.
    :raises ValueError: see ``check_cos_place``.
    """
    import requests
    from qcloud_cos import CosConfig, CosS3Client

    keep_data_out_of_logs()
    scheme, host = check_cos_place(options, endpoint)
    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=_CONNECTIONS)
    adapter.send = silenced()(adapter.send)  # type: ignore[method-assign]
    for prefix in ("http://", "https://"):
        session.mount(prefix, adapter)
    proxies = {"http": options.proxy, "https": options.proxy} if options.proxy else None
    config = CosConfig(
        Region=options.region or None,
        SecretId=options.secret_id,
        SecretKey=options.secret_key,
        Token=options.token,
        Endpoint=host,
        Scheme=scheme,
        Timeout=(options.connect_timeout, options.read_timeout),
        Proxies=proxies,
        VerifySSL=options.ca_bundle,
    )
    return CosS3Client(config, retry=0, session=session)


def check_cos_place(options: ClientOptions, endpoint: str | None) -> tuple[str, str | None]:
    """Return the location of the buckets.

    :return: ``http`` or ``https``, and the host that replaces the region's own.
    :raises ValueError: when neither a region nor an endpoint is given, one is malformed, or the deployment
        does not allow it.
    """
    if not endpoint:
        if not _REGION.fullmatch(options.region):
            raise ValueError(
                "cos:// needs the region of the bucket, such as ap-guangzhou, or a cos_endpoint instead"
            )
        return "https", None
    parts = _ENDPOINT.fullmatch(endpoint)
    if not parts:
        raise ValueError(
            "cos_endpoint must be a host such as cos.ap-guangzhou.myqcloud.com, optionally with http:// or"
            " https:// and a port"
        )
    protocol, host = parts[1] or "https", parts[2]
    options.allowed.check("cos_endpoint", protocol, host)
    options.allowed.check_proxy(protocol, options.proxy)
    return protocol, host


def foreign_cos_endpoint(endpoint: str | None) -> str | None:
    """Return an endpoint that ``check_cos_place`` has passed, if it needed permission."""
    parts = _ENDPOINT.fullmatch(endpoint or "")
    protocol, host = (parts[1] or "https", parts[2]) if parts else ("https", "")
    return None if not host or is_trusted(protocol, host) else origin(protocol, host)


def presigned_url(client: CosS3Client, token: str | None, bucket: str, key: str, seconds: int) -> str:
    """Sign a URL that lets anyone download the object. Makes no request, so the object may not exist.

    :param token: of the client's temporary credentials.
    :param seconds: how long it is valid; with temporary credentials, no longer than these.
    :raises ValueError: when the bucket or key is invalid.
    """
    from qcloud_cos import CosClientError

    # The client adds the token to its own calls only.
    params = {"x-cos-security-token": token} if token else {}
    try:
        return str(client.get_presigned_url(bucket, key, "GET", Expired=seconds, Params=params))
    except CosClientError as error:
        raise ValueError(str(error)) from None
