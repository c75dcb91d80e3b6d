from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO

import pandas as pd
import pytest

from airflow_provider_permitocr.engine.delivery.frame import to_frame
from airflow_provider_permitocr.errors import ConfigurationError, TargetError
from airflow_provider_permitocr.files.errors import FileError
from airflow_provider_permitocr.files.rows_file import StoredRowsFile
from airflow_provider_permitocr.options.targets.result_file import ResultFile
from airflow_provider_permitocr.permit.columns import COLUMNS, Record
from airflow_provider_permitocr.wiring.result_file import open_result_file

if TYPE_CHECKING:
    from tests.files.conftest import S3, Place

MB = 1024 * 1024


@pytest.mark.slow
def test_an_object_of_many_blocks_is_put_whole(bucket: Place, s3: S3) -> None:
    content = os.urandom(40 * MB)
    bucket.store.put(f"{bucket.directory}/large", lambda stream: stream.write(content))
    assert s3.client.get_object(Bucket=s3.bucket, Key="warehouse/large")["Body"].read() == content
    assert bucket.read("large") == content


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 40 * MB])
def test_an_object_whose_sending_fails_is_never_completed(
    bucket: Place, s3: S3, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{bucket.directory}/a"
    bucket.store.put(path, lambda stream: stream.write(b"old"))

    def fail(content: BinaryIO, stream: Any, _: int) -> None:
        # Enough for some blocks to be sent.
        stream.write(content.read(size - 1))
        raise ConnectionError("cut off")

    monkeypatch.setattr("airflow_provider_permitocr.files.object_store.shutil.copyfileobj", fail)
    with pytest.raises(ConnectionError):
        bucket.store.put(path, lambda stream: stream.write(b"x" * size))
    monkeypatch.undo()

    assert bucket.read("a") == b"old"
    assert "Uploads" not in s3.client.list_multipart_uploads(Bucket=s3.bucket)


@pytest.mark.slow
def test_what_others_put_and_delete_meanwhile_is_seen(bucket: Place, s3: S3) -> None:
    store, path = bucket.store, f"{bucket.directory}/a"
    assert not store.exists(path)
    s3.client.put_object(Bucket=s3.bucket, Key="warehouse/a", Body=b"1")
    assert store.exists(path)
    s3.client.delete_object(Bucket=s3.bucket, Key="warehouse/a")
    assert not store.exists(path)


def rows_file(described: ResultFile) -> StoredRowsFile:
    return open_result_file(described)


@pytest.mark.slow
def test_a_connection_by_name_in_the_url_or_by_default_leads_to_the_bucket(
    s3: S3,
    s3_endpoint: str,
    set_connection: Callable[..., None],
    new_row: Callable[..., Record],
) -> None:
    extra = {"endpoint_url": s3_endpoint, "region_name": "us-east-1"}
    set_connection("aws_default", conn_type="aws", login="key", password="secret-word", extra=extra)
    for number, described in enumerate(
        (
            ResultFile(f"s3://{s3.bucket}/0.csv", conn_id=s3.conn_id),
            ResultFile(f"s3://{s3.conn_id}@{s3.bucket}/1.csv"),
            ResultFile(f"s3://{s3.bucket}/2.csv"),
        )
    ):
        file = rows_file(described)
        file.prepare()
        file.write(COLUMNS, [to_frame([new_row(str(number))])])
    assert s3.keys() == ["0.csv", "1.csv", "2.csv"]


@pytest.mark.slow
def test_pandas_reads_the_file_through_its_url(
    s3: S3, s3_endpoint: str, new_row: Callable[..., Record]
) -> None:
    url = f"s3://{s3.bucket}/day=1/permits.parquet"
    file = rows_file(ResultFile(url, conn_id=s3.conn_id))
    file.prepare()
    file.write(COLUMNS, [to_frame([new_row("a", number="08320271")])])

    options = {"key": "key", "secret": "secret-word", "endpoint_url": s3_endpoint}
    assert list(pd.read_parquet(url, storage_options=options)["number"]) == ["08320271"]


def test_a_missing_bucket_is_reported_before_the_first_call(s3: S3) -> None:
    with pytest.raises(TargetError, match=r"result file 's3://nowhere/a.csv'.*correct the path or create"):
        rows_file(ResultFile("s3://nowhere/a.csv", conn_id=s3.conn_id)).prepare()


def test_a_missing_right_to_write_is_reported_before_the_first_call(
    s3: S3, bucket: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The server of the tests lets anybody in; this is what the client makes of a 403.
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr("s3fs.core.S3File._upload_chunk", refuse)
    monkeypatch.setattr("s3fs.core.S3File.commit", refuse)
    with pytest.raises(TargetError, match=r"warehouse/permits.parquet.*PermissionError; grant the right"):
        bucket.rows_file().prepare()


def test_a_store_that_cannot_be_reached_is_a_transient_error_and_shows_no_secret(
    set_connection: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {
        "endpoint_url": "http://127.0.0.1:9",
        "region_name": "us-east-1",
        "config_kwargs": {"retries": {"max_attempts": 0}, "connect_timeout": 1},
    }
    set_connection("gone", conn_type="aws", login="key", password="secret-word", extra=extra)
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    with pytest.raises(FileError, match="EndpointConnectionError") as caught:
        rows_file(ResultFile("s3://bucket/a.csv", conn_id="gone")).prepare()
    assert "secret-word" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("described", "says"),
    [
        (ResultFile("s3://bucket/a.csv", conn_id="nowhere"), "there is no connection 'nowhere'"),
        (ResultFile("s3://nowhere@bucket/a.csv"), "there is no connection 'nowhere'"),
        (ResultFile("gs://bucket/a.csv"), "install apache-airflow-providers-google"),
        (ResultFile("nosuch://bucket/a.csv"), "install the provider of this store"),
    ],
)
def test_a_missing_connection_or_file_system_is_named(described: ResultFile, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        rows_file(described).prepare()
    assert says in str(caught.value)


def test_a_url_of_a_local_file_is_that_file(tmp_path: Any) -> None:
    file = rows_file(ResultFile(f"file://{tmp_path}/with%20blank.csv"))
    file.prepare()
    file.write(COLUMNS, [])
    assert (tmp_path / "with blank.csv").exists()


def test_no_listing_or_error_holds_the_connection(s3: S3) -> None:
    stored = open_result_file(ResultFile(f"s3://{s3.bucket}/a.csv", conn_id=s3.conn_id))
    assert stored.named == f"the result file 's3://{s3.bucket}/a.csv'"
    assert "secret-word" not in json.dumps(repr(stored))
