from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from airflow_provider_permitocr.options.lists.shard import Shard
from airflow_provider_permitocr.options.targets.result_file import FileFormat, ResultFile


@pytest.mark.parametrize(
    ("path", "kept_as"),
    [
        ("/data/permits.parquet", FileFormat.PARQUET),
        ("s3://bucket/2026/permits.CSV", FileFormat.CSV),
        ("s3://conn@bucket/{{ ds }}.csv.gz", FileFormat.CSV_GZ),
        ("file:///data/2026.05.csv", FileFormat.CSV),
    ],
)
def test_the_suffix_says_the_format(path: str, kept_as: FileFormat) -> None:
    assert ResultFile(path).format is kept_as


def test_a_declared_format_goes_before_the_suffix() -> None:
    assert ResultFile("/data/permits.txt", file_format="csv").format is FileFormat.CSV
    assert ResultFile("/data/permits.csv", file_format=FileFormat.PARQUET).format is FileFormat.PARQUET


@pytest.mark.parametrize(
    ("path", "special", "escapes"),
    [
        ("/data/permits.csv", {}, True),
        ("/data/permits.csv.gz", {}, False),
        ("/data/permits.parquet", {}, False),
        ("/data/permits.csv", {"escape_formulas": False}, False),
        ("/data/permits.csv.gz", {"escape_formulas": True}, True),
    ],
)
def test_a_csv_that_people_open_is_kept_from_running_formulas(
    path: str, special: dict[str, Any], escapes: bool
) -> None:
    assert ResultFile(path, **special).escapes_formulas is escapes


@pytest.mark.parametrize(
    ("path", "special", "says"),
    [
        ("", {}, "path must be the path of a file"),
        ("/data/", {}, "path must be the path of a file"),
        ("/data/a\x00.csv", {}, "path must be the path of a file"),
        ("permits.csv", {}, "must be absolute or a URL"),
        ("/data/permits", {}, "names no format; end it with one of .parquet, .csv, .csv.gz"),
        ("/data/permits.xlsx", {}, "names no format"),
        ("/data/permits.csv", {"file_mode": 640}, "file_mode must be from 0o600 to 0o777, such as 0o640"),
        ("/data/permits.csv", {"file_mode": "640"}, "file_mode must be from 0o600 to 0o777, such as 0o640"),
        ("/data/permits.csv", {"file_mode": 0o044}, "file_mode must be from 0o600 to 0o777, such as 0o640"),
        ("/data/permits.csv", {"escape_formulas": "yes"}, "escape_formulas must be True or False, or None"),
        ("/data/permits.parquet", {"escape_formulas": True}, "are for CSV"),
        ("/data/permits.parquet", {"byte_order_mark": True}, "are for CSV"),
        ("/data/permits.csv", {"file_format": "xlsx"}, "file_format must be one of parquet, csv, csv.gz"),
    ],
)
def test_what_cannot_work_is_refused_at_construction(path: str, special: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=r"^ResultFile: ") as caught:
        ResultFile(path, **special)
    assert says in str(caught.value)


def test_a_template_is_checked_once_it_is_rendered() -> None:
    described = ResultFile("{{ var.value.place }}")
    assert replace(described, path="/data/a.parquet").format is FileFormat.PARQUET
    with pytest.raises(ValueError, match="names no format"):
        replace(described, path="/data/a")
    with pytest.raises(ValueError, match="absolute"):
        replace(described, path="a.csv")


def test_each_shard_writes_a_file_of_its_own() -> None:
    described = ResultFile("s3://bucket/{{ ds }}/{shard}.parquet", conn_id="w")
    assert described.of_shard(Shard(2, 4)) == ResultFile("s3://bucket/{{ ds }}/2-of-4.parquet", conn_id="w")
    assert ResultFile("/a.csv").of_shard(None) == ResultFile("/a.csv")


@pytest.mark.parametrize(
    ("path", "shard", "says"),
    [
        ("/data/a.csv", Shard(1, 2), "put {shard} into the path '/data/a.csv'"),
        ("/data/{shard}.csv", None, "but the task has no shard"),
    ],
)
def test_a_path_that_does_not_fit_the_shards_is_refused(path: str, shard: Shard | None, says: str) -> None:
    with pytest.raises(ValueError, match=r"shard") as caught:
        ResultFile(path).of_shard(shard)
    assert says in str(caught.value)


def test_it_is_frozen_and_shows_what_was_given() -> None:
    described = ResultFile("/data/a.parquet")
    assert repr(described) == "ResultFile(path='/data/a.parquet')"
    assert repr(ResultFile("/a", file_format="csv")) == "ResultFile(path='/a', file_format='csv')"
    with pytest.raises(FrozenInstanceError):
        described.path = "/b.csv"  # type: ignore[misc]
