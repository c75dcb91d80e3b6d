"""Assets in Tencent Cloud's object storage: ``Asset("cos://bucket-appid/key")``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from airflow.sdk import Asset

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset


def create_asset(*, bucket: str, key: str, extra: dict[str, Any] | None = None) -> Asset:
    """Return the asset of an object."""
    return Asset(f"cos://{bucket}/{key}", extra=extra)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """Remove the connection: an object is the same for every reader.

    :raises ValueError: when the URI names no bucket.
    """
    bucket = uri.netloc.rpartition("@")[2]
    if not bucket:
        raise ValueError("URI format cos:// must contain a bucket name")
    return uri._replace(netloc=bucket)


def convert_asset_to_openlineage(asset: Asset, _lineage_context: object) -> Dataset:
    """Return what OpenLineage calls the object."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    parts = urlsplit(asset.uri)
    return Dataset(namespace=f"cos://{parts.netloc}", name=parts.path.lstrip("/") or "/")
