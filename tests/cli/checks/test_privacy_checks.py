"""What `check` says of a privacy policy and of the folder of portraits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_permitocr import Declared, PortraitFolder, Privacy, Quality
from airflow_provider_permitocr.cli.checks.findings import OcrTask, Variant, Verdict
from airflow_provider_permitocr.cli.checks.inspection import Inspection
from airflow_provider_permitocr.cli.checks.privacy_checks import check_portraits, check_privacy, check_quality
from airflow_provider_permitocr.options.targets.portraits import PortraitColumn

NewTask = Callable[..., OcrTask]
SetConnection = Callable[..., None]


def test_a_policy_without_its_key_is_wrong_and_names_the_connection() -> None:
    found = check_privacy(Privacy("pseudonymous"))
    assert (found.verdict, found.subject) == (Verdict.WRONG, "privacy")
    assert "permitocr_hmac" in found.message


def test_a_policy_with_its_key_says_what_it_keeps(set_connection: SetConnection) -> None:
    set_connection("permitocr_hmac", conn_type="generic", password="a key that is long enough")
    found = check_privacy(Privacy("analytics", number="hmac"))
    assert (found.verdict, found.message) == (Verdict.OK, "kept as they are: type, back_type")


def test_a_folder_of_portraits_is_looked_at_and_nothing_is_written(tmp_path: Path) -> None:
    assert check_portraits(PortraitFolder(str(tmp_path))).verdict is Verdict.OK
    assert list(tmp_path.iterdir()) == []
    missing = check_portraits(PortraitFolder(str(tmp_path / "missing")))
    assert (missing.verdict, "create its place" in missing.message) == (Verdict.WRONG, True)


@pytest.mark.parametrize("conn_id", ["{{ params.key }}"])
def test_what_is_templated_is_unchecked(conn_id: str) -> None:
    assert check_privacy(Privacy(number="hmac", hmac_conn_id=conn_id)).verdict is Verdict.UNCHECKED
    assert check_portraits(PortraitFolder("s3://x/{{ ds }}")).verdict is Verdict.UNCHECKED


def test_check_looks_at_what_a_task_was_given(ocr_task: NewTask, tmp_path: Path) -> None:
    variant = Variant(privacy=Privacy(number="hmac"), portraits=PortraitColumn.COLUMN)
    task = ocr_task(variants=(variant,))
    found = {each.subject: each.verdict for each in Inspection([task], None, 20, ask=False).findings(task)}
    assert (found["privacy"], found["portraits"]) == (Verdict.WRONG, Verdict.OK)


def test_what_is_compared_with_the_list_is_named() -> None:
    found = check_quality(Quality(declared=Declared(number="claimed_no", birthday="born")))
    expected = "compared: number with claimed_no, birthday with born"
    assert (found.verdict, found.message) == (Verdict.OK, expected)


def test_names_that_cannot_be_compared_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opencc", None)
    found = check_quality(Quality(declared=Declared(name="claimed_name")))
    assert (found.verdict, "pip install opencc" in found.message) == (Verdict.WRONG, True)
