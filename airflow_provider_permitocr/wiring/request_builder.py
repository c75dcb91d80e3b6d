"""Assembles a run's access to its images."""

from __future__ import annotations

from airflow_provider_permitocr.images.conversion.convert import ImageConverter
from airflow_provider_permitocr.images.host_rules import HostRules
from airflow_provider_permitocr.images.object_uri import ObjectUri
from airflow_provider_permitocr.images.request_builder import PermitRequestBuilder, ReadImage
from airflow_provider_permitocr.images.roots import ImageRoots
from airflow_provider_permitocr.options.lists.image_access import ImageAccess
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
    """Return what loads and checks images, according to ``images``.

    :param site: determines the limits.
    :param tencentcloud_conn_id: the default connection for ``cos://``.
    :param download: reads http(s) URLs; None: the API fetches them.
    :param converter: None: images that the API does not read are rejected.
    :raises ConfigurationError: naming the field of a connection to change.
    """
    roots = ImageRoots(images.roots)
    presign = presign_with(images, tencentcloud_conn_id)

    def presign_below_roots(uri: str) -> str | None:
        url = presign(uri)
        if url is not None:
            roots.require_object(ObjectUri.parse(uri))
        return url

    return PermitRequestBuilder(
        max_base64_bytes=site.max_base64_bytes,
        with_portrait=with_portrait,
        download=download,
        pass_on=HostRules(images.fetch_hosts).passed_on,
        read_stored=ObjectStorage(images.storage_conn_id, cos_conn_id=tencentcloud_conn_id, roots=roots).read,
        presign=presign_below_roots,
        convert=converter.convert if converter else None,
        shrink=converter.shrink if converter and images.shrink_oversized else None,
        max_original_bytes=images.max_original_bytes,
    )
