from __future__ import annotations

import pytest
from airflow.sdk import Asset

from airflow_provider_permitocr.assets.cos import convert_asset_to_openlineage, create_asset
from airflow_provider_permitocr.sql.dialects.dataset import Dataset


def test_an_object_is_the_same_asset_whoever_reads_it() -> None:
    made = create_asset(bucket="permits-125", key="a/b.parquet", extra={"owner": "ocr"})
    assert made.uri == Asset("cos://tencentcloud_ocr@permits-125/a/b.parquet").uri
    assert made.uri == Dataset.of_file("cos://tencentcloud_ocr@permits-125/a/b.parquet").uri
    assert made.extra == {"owner": "ocr"}


def test_an_asset_without_a_bucket_is_refused() -> None:
    with pytest.raises(ValueError, match="must contain a bucket name"):
        Asset("cos:///a/b.parquet")


def test_lineage_knows_an_object_by_its_bucket() -> None:
    dataset = convert_asset_to_openlineage(Asset("cos://permits-125/a/b.parquet"), None)
    assert (dataset.namespace, dataset.name) == ("cos://permits-125", "a/b.parquet")
