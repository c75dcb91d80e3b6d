"""Puts together what a run reaches its images by."""

from __future__ import annotations

from airflow_provider_permitocr.images.conversion.convert import ImageConverter
from airflow_provider_permitocr.images.http_url import read_listed_url
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder, ReadImage
from airflow_provider_permitocr.options.image_access import ImageAccess
from airflow_provider_permitocr.permit.api import Site
from airflow_provider_permitocr.wiring.connections.object_storage import ObjectStorage
from airflow_provider_permitocr.wiring.connections.presigned_cos import presign_with


def request_builder(
    images: ImageAccess,
    site: Site,
    *,
    tencentcloud_conn_id: str,
    with_portrait: bool,
    download: ReadImage | None,
    converter: ImageConverter | None,
) -> PermitRequestBuilder:
    """Return what loads and checks images, as ``images`` tells.

    :param site: whose limits hold.
    :param tencentcloud_conn_id: the connection for ``cos://`` by default.
    :param download: reads http(s) URLs; None: the API does.
    :param converter: None: images that the API would not read are rejected.
    :raises ConfigurationError: naming the field of a connection to change.
    """
    return PermitRequestBuilder(
        max_base64_bytes=site.max_base64_bytes,
        with_portrait=with_portrait,
        download=download,
        pass_on=lambda url: read_listed_url(url).whole,
        read_stored=ObjectStorage(images.storage_conn_id, cos_conn_id=tencentcloud_conn_id).read,
        presign=presign_with(images, tencentcloud_conn_id),
        convert=converter.convert if converter else None,
        shrink=converter.shrink if converter and images.shrink_oversized else None,
        max_original_bytes=images.max_original_bytes,
    )
