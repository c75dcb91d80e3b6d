"""A whole list as one Parquet file on S3, from the ledger: its time and memory."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from typing import Any, Final
from unittest import mock

import boto3
import pyarrow.parquet as pq

from airflow_provider_permitocr.engine.delivery.export import write_file
from airflow_provider_permitocr.options.targets.result_file import ResultFile
from airflow_provider_permitocr.permit.columns import COLUMNS
from airflow_provider_permitocr.sql.source.image_source import SqlImageSource
from airflow_provider_permitocr.wiring.result_file import open_result_file
from labs.bench.programs.lists.filled import fill_ledger, make_list, settle_down
from labs.bench.programs.memory import PeakMemory
from labs.bench.programs.s3_server import s3_server
from labs.bench.programs.stubbed import ANSWER, SOURCE, engine

_BUCKET: Final = "permits"
_KEY: Final = "2026/permits.parquet"
_CONN_ID: Final = "bench_s3"
_ACCOUNT: Final = {"login": "key", "password": "secret-word"}


def main(dsn: str, rows: str) -> None:
    """Fill a ledger, write the file, and print time, memory and the bucket's contents.

    :param dsn: of an empty database.
    """
    make_list(dsn, int(rows))
    database = engine(dsn)
    ledger, source = fill_ledger(database, int(rows)), SqlImageSource(database, SOURCE)
    settle_down(dsn)
    with s3_server() as url, mock.patch.dict(os.environ, _connection(url)):
        client = _client(url)
        client.create_bucket(Bucket=_BUCKET)
        file = open_result_file(ResultFile(f"s3://{_BUCKET}/{_KEY}", conn_id=_CONN_ID))
        file.prepare()
        with PeakMemory() as memory:
            began, cpu_began = time.perf_counter(), time.process_time()
            write_file(file, source, ledger, COLUMNS, stop=threading.Event())
            took = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu_began}
        seen = {**took, "peak_mb": memory.peak_mb, **_found(client)}
    sys.stdout.write(json.dumps(seen))


def _found(client: Any) -> dict[str, int]:
    """Look into the bucket: for objects, sendings that were not completed, and rows that are right."""
    objects = client.list_objects_v2(Bucket=_BUCKET).get("Contents", [])
    unfinished = client.list_multipart_uploads(Bucket=_BUCKET).get("Uploads", [])
    size = sum(each["Size"] for each in objects)
    return {"objects": len(objects) + len(unfinished), "bytes": size, "right": _right(client)}


def _right(client: Any) -> int:
    """Count the rows that are the list's, in its order, and hold the answer."""
    listed = right = 0
    with tempfile.TemporaryFile() as content:
        client.download_fileobj(_BUCKET, _KEY, content)
        for batch in pq.ParquetFile(content).iter_batches(columns=["image_key", "number"]):
            for row in batch.to_pylist():
                listed += 1
                right += row == {"image_key": f"permit-{listed:09}", "number": ANSWER["Number"]}
    return right


def _connection(url: str) -> dict[str, str]:
    extra = {"endpoint_url": url, "region_name": "us-east-1"}
    return {f"AIRFLOW_CONN_{_CONN_ID.upper()}": json.dumps({"conn_type": "aws", **_ACCOUNT, "extra": extra})}


def _client(url: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=_ACCOUNT["login"],
        aws_secret_access_key=_ACCOUNT["password"],
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
