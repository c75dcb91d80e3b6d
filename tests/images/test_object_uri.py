from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_permitocr.errors import ImageRejectedError
from airflow_provider_permitocr.images.object_uri import ObjectUri


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://permits/2026/a.jpg", ("s3", None, "permits", "2026/a.jpg")),
        ("S3://lake@permits/a.jpg", ("s3", "lake", "permits", "a.jpg")),
        ("s3://permits/a@b.jpg", ("s3", None, "permits", "a@b.jpg")),
        ("s3://permits/a b?c#d%20e", ("s3", None, "permits", "a b?c#d%20e")),
        ("abfs://lake@container/a.jpg", ("abfs", "lake", "container", "a.jpg")),
        (
            "abfss://container@account.dfs.core.windows.net/a.jpg",
            ("abfss", None, "container@account.dfs.core.windows.net", "a.jpg"),
        ),
    ],
)
def test_a_url_names_a_store_a_connection_and_an_object(
    uri: str, expected: tuple[str, str | None, str, str]
) -> None:
    place = ObjectUri.parse(uri)
    assert (place.scheme, place.conn_id, place.bucket, place.key) == expected


@pytest.mark.parametrize(
    "uri", ["s3://", "s3:///a.jpg", "s3://permits", "s3://permits/", "s3://lake@/a.jpg", "a"]
)
def test_what_is_no_objects_url_is_rejected(uri: str) -> None:
    with pytest.raises(ImageRejectedError) as caught:
        ObjectUri.parse(uri)
    assert caught.value.code == "ImageReferenceUnknown"


@pytest.mark.slow
@given(st.from_regex(r"[a-z0-9-]+", fullmatch=True), st.text().filter(lambda key: key.strip("/")))
def test_file_systems_get_the_url_without_the_connection(bucket: str, key: str) -> None:
    assert ObjectUri.parse(f"s3://conn_id@{bucket}/{key}").url == f"s3://{bucket}/{key}"


def test_a_repr_says_nothing_of_the_row() -> None:
    shown = repr(ObjectUri.parse("s3://secret_conn@secret-bucket/secret-key"))
    assert "secret" not in shown
