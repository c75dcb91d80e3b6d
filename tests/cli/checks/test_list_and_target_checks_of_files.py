from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_permitocr.cli.checks.findings import OcrTask, Verdict
from airflow_provider_permitocr.cli.checks.inspection import Inspection
from airflow_provider_permitocr.cli.checks.list_and_target_checks import check_result_file
from airflow_provider_permitocr.options.targets.result_file import ResultFile


def said(described: ResultFile, shard: str | None = None) -> tuple[Verdict, str]:
    (finding,) = check_result_file(described, shard)
    assert finding.subject == "result file"
    return finding.verdict, finding.message


def test_a_file_that_can_be_written_is_told_and_not_written(tmp_path: Path) -> None:
    described = ResultFile(f"{tmp_path}/permits.parquet")
    assert said(described) == (
        Verdict.OK,
        f"{tmp_path}/permits.parquet does not exist yet; the first run writes it",
    )
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "permits.parquet").touch()
    assert said(described) == (Verdict.OK, f"{tmp_path}/permits.parquet exists; a run replaces it")


def test_the_file_of_a_shard_is_looked_at_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "2-of-4.csv").touch()
    described = ResultFile(f"{tmp_path}/{{shard}}.csv")
    assert said(described, "2/4")[1].endswith("2-of-4.csv exists; a run replaces it")
    assert said(described, "1/4")[1].endswith("1-of-4.csv does not exist yet; the first run writes it")


@pytest.mark.parametrize(
    ("described", "says"),
    [
        (ResultFile("/no/such/place/a.csv"), "No such file or directory"),
        (ResultFile("s3://bucket/a.csv", conn_id="nowhere"), "there is no connection 'nowhere'"),
    ],
)
def test_a_place_that_is_not_there_is_wrong(described: ResultFile, says: str) -> None:
    verdict, message = said(described)
    assert verdict is Verdict.WRONG
    assert says in message


@pytest.mark.parametrize(
    "described", [ResultFile("s3://b/{{ ds }}.csv"), ResultFile("/{% if x %}a{% endif %}.csv")]
)
def test_a_templated_path_is_known_only_in_a_run(described: ResultFile) -> None:
    assert said(described) == (Verdict.UNCHECKED, "path: templated; known only at run time")


def test_what_a_format_needs_is_told_for_a_templated_path_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    unchecked, missing = check_result_file(ResultFile("/exports/{{ ds }}.parquet"), None)
    assert unchecked.verdict is Verdict.UNCHECKED
    assert (missing.verdict, "pip install pyarrow" in missing.message) == (Verdict.WRONG, True)


def test_all_files_of_a_task_are_looked_at(ocr_task: Callable[..., OcrTask], tmp_path: Path) -> None:
    files = ResultFile(f"{tmp_path}/a.csv"), ResultFile(f"{tmp_path}/nowhere/b.csv")
    task = ocr_task(source=None, targets=files, tencentcloud_conn_id=None)
    findings = Inspection([task], {"tencent_permit_ocr": 20}, 20, ask=False).findings(task)
    assert [each.verdict for each in findings if each.subject == "result file"] == [Verdict.OK, Verdict.WRONG]
