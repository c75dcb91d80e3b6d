"""Files on a disk and in S3, and rows to write."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_permitocr.engine.run.window import DueFile
from airflow_provider_permitocr.files.row_format import row_format
from airflow_provider_permitocr.files.rows_file import StoredRowsFile
from airflow_provider_permitocr.files.store import Store
from airflow_provider_permitocr.options.targets.result_file import ResultFile
from airflow_provider_permitocr.permit.columns import COLUMNS, Record

MOMENT = datetime(2026, 5, 1, 12, 30, 15, 123456, tzinfo=UTC)


def row(key: str, side: str = "FRONT", **values: Any) -> Record:
    """Make a row of the result."""
    record: Record = dict.fromkeys(column.name for column in COLUMNS)
    return (
        record
        | {"image_key": key, "card_side": side, "status": "recognized", "tries": 1, "processed_at": MOMENT}
        | values
    )


#: What each kind of column may hold at its worst.
ODD_ROWS = [
    row("k1", name="測試", number="08320271", birthday=date(1901, 2, 3), valid_until=date(9999, 12, 31)),
    row("k1", "BACK", back_name='say "hi", 中文\r\nnext\nline\rend', back_id_number="=1+1"),
    row("k2", status="failed", error_code="FailedOperation.X", error_message="'; --", tries=3),
    row("k3", name="nul\x00 lone\ud800 end", warn_photocopy=True, warn_recapture=False, image_bytes=2**40),
    row(" 鍵,4 ", image_updated_at=datetime(1970, 1, 1, tzinfo=UTC), english_name=" spaces ", tries=None),
]


@pytest.fixture(scope="session")
def new_row() -> Callable[..., Record]:
    """Make a row of the result: key, side, and values by name."""
    return row


@pytest.fixture
def odd_rows() -> list[Record]:
    """Rows that hold what is hard to write."""
    return [dict(each) for each in ODD_ROWS]


@dataclass(frozen=True)
class S3:
    """A bucket in a server of this machine, and the Airflow connection that leads to it."""

    bucket: str
    client: Any
    conn_id: str = "warehouse_s3"

    def keys(self) -> list[str]:
        """Name what is in the bucket."""
        found = self.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return [each["Key"] for each in found]


@pytest.fixture
def s3(s3_endpoint: str, s3_client: Any, set_connection: Callable[..., None]) -> S3:
    """An empty bucket, reached through the Airflow connection ``warehouse_s3``."""
    from airflow.sdk.io.store import _STORE_CACHE

    extra = {"endpoint_url": s3_endpoint, "region_name": "us-east-1"}
    set_connection("warehouse_s3", conn_type="aws", login="key", password="secret-word", extra=extra)
    bucket = f"permits-{uuid4().hex[:8]}"
    s3_client.create_bucket(Bucket=bucket)
    _STORE_CACHE.clear()
    return S3(bucket, s3_client)


@dataclass(frozen=True)
class Place:
    """A store and a directory in it.

    :param filesystem: shows what is there, as others see it.
    """

    store: Store
    directory: str
    filesystem: Any

    def path(self, name: str) -> str:
        """Return the path of a file in there."""
        return f"{self.directory}/{name}"

    def rows_file(self, name: str = "permits.parquet") -> StoredRowsFile:
        """Make what a run writes a file in there by; its suffix names the format."""
        return StoredRowsFile(
            store=self.store,
            path=self.path(name),
            row_format=row_format(ResultFile(f"/{name}")),
            named=f"the result file {self.path(name)!r}",
            due=DueFile(name, None, name.partition(".")[2]),
        )

    def names(self) -> list[str]:
        """Name all that is in the directory, temporary files included."""
        self.filesystem.invalidate_cache()
        try:
            found = self.filesystem.ls(self.directory, detail=False)
        except FileNotFoundError:
            return []
        return sorted(each.rpartition("/")[2] for each in found)

    def read(self, name: str) -> bytes:
        """Read a file."""
        self.filesystem.invalidate_cache()
        content: bytes = self.filesystem.cat_file(self.path(name))
        return content


@pytest.fixture
def disk(tmp_path: Path) -> Place:
    """A directory of this machine."""
    from airflow_provider_permitocr.files.local_store import LocalStore

    directory = tmp_path / "warehouse"
    directory.mkdir()
    return Place(LocalStore(), str(directory), LocalFileSystem())


@pytest.fixture
def bucket(s3: S3) -> Place:
    """A prefix in an S3 bucket, through Airflow's file system and connection."""
    from airflow.sdk import ObjectStoragePath

    from airflow_provider_permitocr.files.object_store import ObjectStore

    filesystem = ObjectStoragePath(f"s3://{s3.bucket}/", conn_id=s3.conn_id).fs
    return Place(ObjectStore(filesystem), f"{s3.bucket}/warehouse", filesystem)


@pytest.fixture(params=["disk", "bucket"])
def place(request: pytest.FixtureRequest) -> Place:
    """A disk, then S3."""
    place: Place = request.getfixturevalue(request.param)
    return place


@pytest.fixture
def read_back() -> Callable[[bytes, str], pd.DataFrame]:
    """Read a file as an analyst does, all of it as text but for what Parquet has types for."""

    def read(content: bytes, name: str) -> pd.DataFrame:
        import io

        if name.endswith(".parquet"):
            return pd.read_parquet(io.BytesIO(content))
        compression: Any = "gzip" if name.endswith(".gz") else None
        return pd.read_csv(io.BytesIO(content), dtype=str, compression=compression)

    return read


@pytest.fixture(scope="session")
def without_rights() -> Callable[[], Any]:
    """Act as a user who owns nothing, as root may write anywhere."""
    from contextlib import contextmanager

    @contextmanager
    def act() -> Iterator[None]:
        own = os.geteuid()
        if own == 0:
            os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(own)

    return act
