"""``cos://conn_id@bucket-appid/key`` for ``ObjectStoragePath`` of Airflow; needs the extra ``cos``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow_provider_permitocr.extras import install
from airflow_provider_permitocr.tencent.cos import cos_client
from airflow_provider_permitocr.wiring.connections.tencentcloud import DEFAULT_CONN_ID, cos_connection

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

#: Airflow reads this to learn the module's purpose.
schemes: Final = ["cos"]
#: Beyond the first call; cosfs waits a tenth of a second before the first, and twice as long each time.
_RETRIES: Final = 2


def get_fs(conn_id: str | None, storage_options: dict[str, Any] | None = None) -> AbstractFileSystem:
    """Make a file system over Tencent Cloud's object storage. It may be shared between threads.

    :param conn_id: connection of type ``tencentcloud``; its ``region`` is that of the buckets, unless
        ``cos_endpoint`` is given. None: ``tencentcloud_default``.
    :param storage_options: further arguments of ``cosfs.CosFileSystem``.
    :raises ImportError: when cosfs is not installed.
    :raises ConfigurationError: naming the field of the connection to change.
    """
    try:
        from cosfs import CosFileSystem
    except ImportError:
        raise ImportError(f"cos:// needs cosfs: {install('cos')}", name="cosfs") from None
    options, endpoint = cos_connection(conn_id or DEFAULT_CONN_ID)
    client = cos_client(options, endpoint)
    filesystem = CosFileSystem(
        **{
            "region": options.region,
            "secret_id": options.secret_id,
            "secret_key": options.secret_key,
            "token": options.token,
            "endpoint": endpoint,
            "max_retry_num": _RETRIES,
            # What is kept for equal arguments would outlive a change of the connection.
            "skip_instance_cache": True,
            **(storage_options or {}),
        }
    )
    # Its own client has no proxy, authorities or timeouts, and the environment's COS_TOKEN with other keys.
    filesystem._cos_client = client
    return filesystem
